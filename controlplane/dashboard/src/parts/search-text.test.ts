import { expect, test } from 'vitest';
import { hasWords, searchText } from './search-text';

test('a text is read without what is around it, and what is none is empty', () => {
  expect(searchText(' gpt-4o ')).toBe('gpt-4o');
  expect(searchText(4)).toBe('4');
  for (const none of [undefined, null, true, ['a'], { a: 1 }]) expect(searchText(none)).toBe('');
});

test.each([
  ['', true],
  ['bot', true],
  ['SUPPORT', true],
  [' bot  support ', true],
  ['bot sales', false],
  ['bots', false],
])('a text that is looked for by %j has all of its words', (words, has) => {
  expect(hasWords('Support-bot', words)).toBe(has);
});
