import { expect, test } from 'vitest';
import { SOME_KEY, clients } from './clients';

const caller = { origin: 'https://gateway.test', apiKey: 'sk-1', model: 'openai/gpt-4o' };
const write = (id: string, other: Partial<typeof caller> = {}) => clients.find((client) => client.id === id)?.write({ ...caller, ...other });

test.each(clients.filter(({ id }) => id !== 'codex'))('$name is told address, key and model', ({ write }) => {
  for (const said of ['https://gateway.test', 'sk-1', 'openai/gpt-4o']) expect(write(caller)).toContain(said);
});

test('Codex finds its key in the environment, and the snippet does not have it', () => {
  expect(write('codex')).not.toContain('sk-1');
  expect(write('codex')).toContain('env_key = "OMNIROUTE_KEY"');
});

test('Claude Code appends /v1 by itself, and the others are given it', () => {
  expect(write('claude')).not.toContain('/v1');
  for (const id of ['curl', 'python', 'javascript', 'codex', 'cursor']) expect(write(id)).toContain('https://gateway.test/v1');
});

test('a name with an apostrophe stays one word of the shell', () => {
  expect(write('curl', { model: "it's" })).toContain(`'{"model":"it'\\''s"`);
});

test('a key that nobody can show is a variable of the shell', () => {
  expect(write('curl', { apiKey: SOME_KEY })).toContain('"Authorization: Bearer $OMNIROUTE_KEY"');
  expect(write('claude', { apiKey: SOME_KEY })).toContain('ANTHROPIC_AUTH_TOKEN="$OMNIROUTE_KEY"');
});
