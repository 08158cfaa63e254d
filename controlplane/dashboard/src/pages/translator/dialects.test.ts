import { expect, test } from 'vitest';
import { SAMPLE, dialects, named, readBody } from './dialects';

test('every dialect has a name of its own, and one that is not known keeps its own', () => {
  expect(new Set(dialects.map(({ value }) => named(value))).size).toBe(dialects.length);
  expect(named('esperanto')).toBe('esperanto');
});

test.each([
  [SAMPLE, null],
  ['{', 'This is no JSON'],
  ['[1]', 'A request is a JSON object'],
  ['null', 'A request is a JSON object'],
])('what is wrong with %s is said', (text, problem) => {
  const read = readBody(text).problem;
  if (problem === null) expect(read).toBeNull();
  else expect(read).toContain(problem);
});
