import { t } from '../../i18n';
import { ApiFailure } from '../../api/client';
import { type Dialect, type Failure, type Question as Asked, spoken } from './dialects';
import { events } from './events';

export type Question = Asked & { dialect: Dialect; key: string };

export type Answer = {
  state: 'waiting' | 'arriving' | 'done' | 'stopped' | 'failed';
  text: string;
  requestId?: string;
  /** From sending the question to the first piece of text. */
  firstTextMs?: number;
  totalMs?: number;
  tokensIn?: number;
  tokensOut?: number;
  error?: unknown;
};

/** Asks as a client of the gateway does, and tells of every change of the answer. Never throws. */
export async function ask(question: Question, signal: AbortSignal, onChange: (answer: Answer) => void): Promise<void> {
  let answer: Answer = { state: 'waiting', text: '' };
  const started = performance.now();
  const since = () => Math.round(performance.now() - started);
  const change = (part: Partial<Answer>) => onChange((answer = { ...answer, ...part }));
  const { read } = spoken(question.dialect);
  change({});
  try {
    const response = await fetch(...request(question, signal));
    const requestId = response.headers.get('x-request-id') ?? undefined;
    change({ requestId });
    if (!response.ok || !response.body) throw failure(response.status, await readFailure(response), requestId);
    for await (const event of events(response.body)) {
      const { error, text, tokensIn, tokensOut } = read(event as never);
      if (error) throw failure(response.status, error, requestId);
      if (text) change({ state: 'arriving', text: answer.text + text, firstTextMs: answer.firstTextMs ?? since() });
      if (tokensIn !== undefined) change({ tokensIn });
      if (tokensOut !== undefined) change({ tokensOut });
    }
    change({ state: 'done', totalMs: since() });
  } catch (error) {
    change({ totalMs: since(), ...(signal.aborted ? { state: 'stopped' } : { state: 'failed', error }) });
  }
}

/** Without the cookie of the dashboard: the key alone decides, as it does for a client. */
function request({ dialect, key, ...question }: Question, signal: AbortSignal): [string, RequestInit] {
  const { path, headers, body } = spoken(dialect);
  return [
    path(question),
    {
      method: 'POST',
      credentials: 'omit',
      headers: { 'content-type': 'application/json', ...headers(key) },
      body: JSON.stringify(body(question)),
      signal,
    },
  ];
}

/** Ollama's clients are told in a text, all others in an object. */
async function readFailure(response: Response): Promise<Failure> {
  const { error } = (await response.json().catch(() => ({}))) as { error?: Failure | string };
  return typeof error === 'string' ? { message: error } : (error ?? {});
}

function failure(status: number, { message, code, status: word, type }: Failure, requestId: string | undefined): ApiFailure {
  // Gemini's code is the status in digits, and its status the code
  const name = word ?? code ?? type ?? `HTTP_${status}`;
  return new ApiFailure(status, String(name), message ?? t('The gateway answered {status}.', { status }), requestId, []);
}
