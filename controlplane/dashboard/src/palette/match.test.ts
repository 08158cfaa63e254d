import { expect, test } from 'vitest';
import { pageEntries } from './entries';
import { matching } from './match';

const labels = (search: string) => matching(pageEntries, search).map(({ label }) => label);

test.each([
  ['ov', 'Overview'],
  ['audit', 'Audit log'],
  ['prox', 'Proxy log'],
  ['alg', 'Audit log'],
  ['drain', 'Nodes'],
  ['CLAUDE', 'CLI tools'],
])('"%s" finds %s first', (search, label) => {
  expect(labels(search)[0]).toBe(label);
});

test('the beginning of a name is better than its middle, and that is better than scattered letters', () => {
  expect(labels('al').slice(0, 1)).toEqual(['Aliases']);
  expect(labels('s').indexOf('Settings')).toBeLessThan(labels('s').indexOf('Policies'));
});

test('letters in another order find nothing', () => {
  expect(labels('weivrevo')).toEqual([]);
});
