import { expect, test } from 'vitest';
import { grouped, pageEntries } from './entries';

test('what was chosen lately comes first, and is not there twice', () => {
  const groups = grouped(pageEntries, ['page:/keys', 'page:/nowhere', 'page:/']);
  expect(groups.map(([kind]) => kind)).toEqual(['Recent', 'Pages']);
  const [lately, rest] = groups.map(([, entries]) => entries.map(({ label }) => label));
  expect(lately).toEqual(['API keys', 'Overview']);
  expect(rest).not.toContain('API keys');
  expect((lately?.length ?? 0) + (rest?.length ?? 0)).toBe(pageEntries.length);
});
