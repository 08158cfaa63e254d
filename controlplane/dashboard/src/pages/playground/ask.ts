import { t } from '../../i18n';
import { ApiFailure } from '../../api/client';
import { events } from './events';

export type Dialect = 'openai' | 'anthropic';

export type Question = { dialect: Dialect; key: string; model: string; system: string; message: string };

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

/** Anthropic's dialect asks for a bound; this one no answer of a playground reaches. */
const LONGEST = 4_096;

type Failure = { message?: string; code?: string | number | null; type?: string };

/** What is read of a chunk, of either dialect; everything else is passed over. */
type Chunk = {
  error?: Failure | null;
  choices?: { delta?: { content?: string | null } }[];
  delta?: { text?: string };
  usage?: { prompt_tokens?: number; completion_tokens?: number; input_tokens?: number; output_tokens?: number } | null;
};

/** Asks as a client of the gateway does, and tells of every change of the answer. Never throws. */
export async function ask(question: Question, signal: AbortSignal, onChange: (answer: Answer) => void): Promise<void> {
  let answer: Answer = { state: 'waiting', text: '' };
  const started = performance.now();
  const since = () => Math.round(performance.now() - started);
  const change = (part: Partial<Answer>) => onChange((answer = { ...answer, ...part }));
  change({});
  try {
    const response = await fetch(...request(question, signal));
    const requestId = response.headers.get('x-request-id') ?? undefined;
    change({ requestId });
    if (!response.ok || !response.body) throw failure(response.status, await readFailure(response), requestId);
    for await (const data of events(response.body)) {
      const { error, choices, delta, usage } = data as Chunk;
      if (error) throw failure(response.status, error, requestId);
      const text = choices?.[0]?.delta?.content ?? delta?.text ?? '';
      if (text) change({ state: 'arriving', text: answer.text + text, firstTextMs: answer.firstTextMs ?? since() });
      const tokensIn = usage?.prompt_tokens ?? usage?.input_tokens;
      const tokensOut = usage?.completion_tokens ?? usage?.output_tokens;
      if (tokensIn !== undefined || tokensOut !== undefined) change({ tokensIn, tokensOut });
    }
    change({ state: 'done', totalMs: since() });
  } catch (error) {
    change({ totalMs: since(), ...(signal.aborted ? { state: 'stopped' } : { state: 'failed', error }) });
  }
}

/** Without the cookie of the dashboard: the key alone decides, as it does for a client. */
function request({ dialect, key, model, system, message }: Question, signal: AbortSignal): [string, RequestInit] {
  const user = { role: 'user', content: message };
  const openai = {
    stream_options: { include_usage: true },
    messages: [...(system ? [{ role: 'system', content: system }] : []), user],
  };
  const anthropic = { max_tokens: LONGEST, ...(system && { system }), messages: [user] };
  const authority: Record<string, string> =
    dialect === 'openai' ? { authorization: `Bearer ${key}` } : { 'x-api-key': key, 'anthropic-version': '2023-06-01' };
  return [
    dialect === 'openai' ? '/v1/chat/completions' : '/v1/messages',
    {
      method: 'POST',
      credentials: 'omit',
      headers: { 'content-type': 'application/json', ...authority },
      body: JSON.stringify({ model, stream: true, ...(dialect === 'openai' ? openai : anthropic) }),
      signal,
    },
  ];
}

async function readFailure(response: Response): Promise<Failure> {
  const body = (await response.json().catch(() => ({}))) as { error?: Failure };
  return body.error ?? {};
}

function failure(status: number, { message, code, type }: Failure, requestId: string | undefined): ApiFailure {
  return new ApiFailure(status, String(code ?? type ?? `HTTP_${status}`), message ?? t('The gateway answered {status}.', { status }), requestId, []);
}
