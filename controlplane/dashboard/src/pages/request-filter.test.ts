import { expect, test } from 'vitest';
import { readRequestFilter } from './request-filter';

test('an address is read as far as the management API takes it', () => {
  expect(readRequestFilter({ status: 'error', model: 'gpt', key: 'ci' })).toEqual({ status: 'error', model: 'gpt', key: 'ci' });
  // an address that says 404 says a number
  expect(readRequestFilter({ status: 404 })).toEqual({ status: '404' });
  expect(readRequestFilter({ status: 'bad', model: '', key: {} })).toEqual({});
});
