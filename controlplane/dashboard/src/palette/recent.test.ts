import { expect, test } from 'vitest';
import { readRecent, remember } from './recent';

function memory(stored?: string) {
  let value: string | null = stored ?? null;
  return { getItem: () => value, setItem: (_: string, next: string) => void (value = next) };
}

test('what was chosen last comes first, once, and six are kept', () => {
  const store = memory();
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'c']) remember(id, store);
  expect(readRecent(store)).toEqual(['c', 'g', 'f', 'e', 'd', 'b']);
});

test.each(['not json', '{"a":1}', '[1,null]'])('what somebody else stored is nothing recent: %s', (stored) => {
  expect(readRecent(memory(stored))).toEqual([]);
});

test('a browser that stores nothing has nothing recent, and breaks nothing', () => {
  const refusing = () => {
    throw new Error('denied');
  };
  remember('a', { getItem: () => null, setItem: refusing });
  expect(readRecent({ getItem: refusing })).toEqual([]);
});
