import { t } from '../../i18n';

/** What is asked, of one model. */
export type Question = { model: string; system: string; message: string };

/** What went wrong, as an answer or an event of a stream says it. */
export type Failure = { message?: string; code?: string | number | null; type?: string; status?: string };

/** What an event of a stream adds to an answer. */
export type Piece = { text?: string; tokensIn?: number | undefined; tokensOut?: number | undefined; error?: Failure | null | undefined };

type Tokens = Record<string, number | undefined>;
type Spoken = {
  label: string;
  path: (question: Question) => string;
  /** The headers a client of this dialect has its key in. */
  headers: (key: string) => Record<string, string>;
  body: (question: Question) => object;
  read: (event: never) => Piece;
};

/** Anthropic's dialect asks for a bound; this one no answer of a playground reaches. */
const LONGEST = 4_096;

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const messages = ({ system, message }: Question) => [...(system ? [{ role: 'system', content: system }] : []), { role: 'user', content: message }];

type ChatChunk = { error?: Failure | null; choices?: { delta?: { content?: string | null } }[]; usage?: Tokens | null };
type ResponsesEvent = {
  type?: string;
  delta?: unknown;
  message?: string;
  code?: string | null;
  response?: { usage?: Tokens | null; error?: Failure | null };
};
type MessagesEvent = { error?: Failure | null; delta?: { text?: string }; message?: { usage?: Tokens }; usage?: Tokens };
type GeminiChunk = {
  error?: Failure | null;
  candidates?: { content?: { parts?: { text?: string; thought?: boolean }[] } }[];
  usageMetadata?: Tokens;
};
type OllamaLine = { error?: string; message?: { content?: string }; prompt_eval_count?: number; eval_count?: number };

/** The ways in which clients talk to the gateway: each is asked for a stream, as the vendor's own clients would. */
export const dialects = {
  openai: {
    label: t('OpenAI chat'),
    path: () => '/v1/chat/completions',
    headers: bearer,
    body: (question) => ({ model: question.model, stream: true, stream_options: { include_usage: true }, messages: messages(question) }),
    read: ({ error, choices, usage }: ChatChunk) => ({
      error,
      text: choices?.[0]?.delta?.content ?? '',
      tokensIn: usage?.prompt_tokens,
      tokensOut: usage?.completion_tokens,
    }),
  },
  responses: {
    label: t('OpenAI responses'),
    path: () => '/v1/responses',
    headers: bearer,
    body: ({ model, system, message }) => ({ model, stream: true, ...(system && { instructions: system }), input: message }),
    read: ({ type, delta, message, code, response }: ResponsesEvent) => ({
      error: type === 'error' ? { message, code } : response?.error,
      text: type === 'response.output_text.delta' && typeof delta === 'string' ? delta : '',
      tokensIn: response?.usage?.input_tokens,
      tokensOut: response?.usage?.output_tokens,
    }),
  },
  anthropic: {
    label: t('Anthropic messages'),
    path: () => '/v1/messages',
    headers: (key) => ({ 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
    body: ({ model, system, message }) => ({
      model,
      stream: true,
      max_tokens: LONGEST,
      ...(system && { system }),
      messages: [{ role: 'user', content: message }],
    }),
    read: ({ error, delta, message, usage }: MessagesEvent) => ({
      error,
      text: delta?.text ?? '',
      tokensIn: usage?.input_tokens ?? message?.usage?.input_tokens,
      tokensOut: usage?.output_tokens,
    }),
  },
  gemini: {
    label: 'Gemini',
    path: ({ model }) => `/v1beta/models/${model.split('/').map(encodeURIComponent).join('/')}:streamGenerateContent?alt=sse`,
    headers: (key) => ({ 'x-goog-api-key': key }),
    body: ({ system, message }) => ({
      ...(system && { systemInstruction: { parts: [{ text: system }] } }),
      contents: [{ role: 'user', parts: [{ text: message }] }],
    }),
    read: ({ error, candidates, usageMetadata }: GeminiChunk) => ({
      error,
      // a thought is not what was asked for
      text: (candidates?.[0]?.content?.parts ?? []).map(({ text, thought }) => (thought ? '' : (text ?? ''))).join(''),
      tokensIn: usageMetadata?.promptTokenCount,
      tokensOut: usageMetadata && (usageMetadata.candidatesTokenCount ?? 0) + (usageMetadata.thoughtsTokenCount ?? 0),
    }),
  },
  ollama: {
    label: 'Ollama',
    path: () => '/api/chat',
    headers: bearer,
    body: (question) => ({ model: question.model, stream: true, messages: messages(question) }),
    read: ({ error, message, prompt_eval_count, eval_count }: OllamaLine) => ({
      error: error === undefined ? undefined : { message: error },
      text: message?.content ?? '',
      tokensIn: prompt_eval_count,
      tokensOut: eval_count,
    }),
  },
} satisfies Record<string, Spoken>;

export type Dialect = keyof typeof dialects;

export const spoken = (dialect: Dialect): Spoken => dialects[dialect];
