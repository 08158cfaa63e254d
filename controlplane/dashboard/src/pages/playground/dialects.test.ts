import { expect, test } from 'vitest';
import { type Dialect, type Piece, dialects, spoken } from './dialects';

const question = { model: 'gpu/llama 3:8b', system: 'Be brief.', message: 'Hello' };

test.each(Object.keys(dialects) as Dialect[])('a question in the dialect %s has the model, the system prompt, the message and the key', (dialect) => {
  const { path, headers, body } = spoken(dialect);
  const sent = `${decodeURIComponent(path(question))} ${JSON.stringify([headers('sk-1'), body(question)])}`;
  for (const part of ['gpu/llama 3:8b', 'Be brief.', 'Hello', 'sk-1']) expect(sent).toContain(part);
  expect(JSON.stringify(body({ ...question, system: '' }))).not.toContain('system');
});

const cases: [Dialect, object, Piece][] = [
  ['openai', { choices: [{ delta: { content: 'a' } }] }, { text: 'a' }],
  ['openai', { choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } }, { tokensIn: 3, tokensOut: 4 }],
  ['openai', { error: { message: 'no', code: 'overloaded' } }, { error: { message: 'no', code: 'overloaded' } }],
  ['responses', { type: 'response.output_text.delta', delta: 'a' }, { text: 'a' }],
  ['responses', { type: 'response.function_call_arguments.delta', delta: '{' }, { text: '' }],
  ['responses', { type: 'response.completed', response: { usage: { input_tokens: 3, output_tokens: 4 } } }, { tokensIn: 3, tokensOut: 4 }],
  ['responses', { type: 'response.failed', response: { error: { message: 'no' } } }, { error: { message: 'no' } }],
  ['responses', { type: 'error', message: 'no', code: 'overloaded' }, { error: { message: 'no', code: 'overloaded' } }],
  ['anthropic', { type: 'message_start', message: { usage: { input_tokens: 3, output_tokens: 1 } } }, { tokensIn: 3 }],
  ['anthropic', { type: 'content_block_delta', delta: { text: 'a' } }, { text: 'a' }],
  ['anthropic', { type: 'message_delta', delta: {}, usage: { output_tokens: 4 } }, { tokensOut: 4 }],
  ['gemini', { candidates: [{ content: { parts: [{ text: 'hm', thought: true }, { text: 'a' }, { text: 'b' }] } }] }, { text: 'ab' }],
  ['gemini', { usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 4, thoughtsTokenCount: 5 } }, { tokensIn: 3, tokensOut: 9 }],
  ['ollama', { message: { role: 'assistant', content: 'a' }, done: false }, { text: 'a' }],
  ['ollama', { message: { content: '' }, done: true, prompt_eval_count: 3, eval_count: 4 }, { tokensIn: 3, tokensOut: 4 }],
  ['ollama', { error: 'no' }, { error: { message: 'no' } }],
];

test.each(cases)('an event of the dialect %s is read: %j', (dialect, event, piece) => {
  expect(spoken(dialect).read(event as never)).toMatchObject(piece);
});
