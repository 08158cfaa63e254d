import { expect, test } from 'vitest';
import { readRequestFilter } from './request-filter';

test('an address is read as far as the management API takes it', () => {
  expect(readRequestFilter({ status: 'error', model: 'gpt', key: 'ci' })).toEqual({ status: 'error', model: 'gpt', key: 'ci' });
  // an address that says 404 says a number
  expect(readRequestFilter({ status: 404 })).toEqual({ status: '404' });
  expect(readRequestFilter({ status: 'bad', model: '', key: {}, before: 'yesterday' })).toEqual({});
  const before = '1700000000000000_0190a0c0-0000-7000-8000-000000000000';
  expect(readRequestFilter({ before })).toEqual({ before });
});
