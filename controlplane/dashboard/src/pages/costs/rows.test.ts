import { expect, test } from 'vitest';
import { found, isOwn, priceRows } from './rows';

const provider = { id: 'b', alias: 'b', name: 'B', authType: 'apikey', format: 'openai_chat', modelCount: 1 };
const rows = priceRows(
  { b: { two: { input: { value: 1, source: 'default' }, output: { value: 2, source: 'override' } } }, a: { one: { input: { value: 3, source: 'default' } } } },
  { b: { ...provider, models: [{ id: 'free', name: 'Free', custom: true }, { id: 'two', name: 'Two', custom: false }] } },
);

test('models with a price and those that may get one are there once, in order', () => {
  expect(rows.map((row) => `${row.provider}/${row.model}`)).toEqual(['a/one', 'b/free', 'b/two']);
  expect(rows.map(isOwn)).toEqual([false, false, true]);
  expect(rows[1]?.price).toEqual({});
});

test.each([
  ['', 3],
  ['B/', 2],
  ['two b', 1],
  ['nothing', 0],
])('"%s" finds %d', (words, count) => {
  expect(found(rows, words)).toHaveLength(count);
});
