import { expect, test } from 'vitest';
import { logQuery } from './log-query';

test('a filter is said in the words of the management API, and what is not said is left out', () => {
  expect(logQuery({})).toBe('');
  expect(logQuery({ status: 'error', model: 'a&b', key: 'ci' })).toBe('status=error&model=a%26b&apiKey=ci');
  expect(logQuery({ key: 'ci', before: '1_x' }, { hours: '24' })).toBe('apiKey=ci&hours=24');
});
