import { t } from '../../i18n';

/** As the API calls them, and as people do. */
export const dialects = [
  { value: 'openai_chat', label: 'OpenAI Chat Completions' },
  { value: 'openai_responses', label: 'OpenAI Responses' },
  { value: 'anthropic_messages', label: 'Anthropic Messages' },
  { value: 'gemini', label: 'Gemini' },
  { value: 'ollama_chat', label: 'Ollama' },
];

export const named = (format: string) => dialects.find(({ value }) => value === format)?.label ?? format;

export type Body = Record<string, unknown>;

/** What was written, as the API takes it, or what is wrong with it. */
export function readBody(text: string): { body: Body; problem: string | null } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { body: {}, problem: t('This is no JSON: {reason}', { reason: error instanceof Error ? error.message : String(error) }) };
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? { body: value as Body, problem: null } : { body: {}, problem: t('A request is a JSON object') };
}

/** Something to begin with that every dialect can say, but for one field. */
export const SAMPLE = JSON.stringify(
  {
    model: 'demo/demo',
    max_tokens: 200,
    seed: 7,
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello' },
    ],
  },
  null,
  2,
);
