import { useEffect, useState } from 'react';
import { type Answer, type Question, ask } from './ask';

type Run = { controller: AbortController; asked: string[]; answers: Record<number, Answer> };

/** The answers to the newest question, one for each model that was asked. */
export function useAnswers() {
  const [run, setRun] = useState<Run | null>(null);
  // whoever asks anew, or leaves, does not want to pay for the rest
  useEffect(() => () => run?.controller.abort(), [run?.controller]);

  function send(question: Omit<Question, 'model'>, asked: string[]) {
    const controller = new AbortController();
    setRun({ controller, asked, answers: {} });
    for (const [place, model] of asked.entries()) {
      void ask({ ...question, model }, controller.signal, (answer) =>
        // the last words of an answer that was replaced are not of interest
        setRun((now) => (now?.controller === controller ? { ...now, answers: { ...now.answers, [place]: answer } } : now)),
      );
    }
  }

  const answers = (run?.asked ?? []).flatMap((model, place) => {
    const answer = run?.answers[place];
    return answer ? [{ model, answer }] : [];
  });
  const busy = answers.some(({ answer }) => answer.state === 'waiting' || answer.state === 'arriving');
  return { answers, busy, send, stop: () => run?.controller.abort() };
}
