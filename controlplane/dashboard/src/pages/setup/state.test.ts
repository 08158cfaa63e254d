import { expect, test } from 'vitest';
import { firstOpen, isNew } from './state';

test.each([
  ['a drawn password is replaced first', { hasDrawnPassword: true, hasOwnProvider: true, hasTraffic: true }, 'password', false],
  ['without a provider of one’s own it begins there', { hasDrawnPassword: false, hasOwnProvider: false, hasTraffic: false }, 'provider', true],
  ['with one, a key is next', { hasDrawnPassword: false, hasOwnProvider: true, hasTraffic: false }, 'key', false],
  ['requests are watched where there are some', { hasDrawnPassword: false, hasOwnProvider: false, hasTraffic: true }, 'watch', false],
] as const)('%s', (_, progress, step, fresh) => {
  expect(firstOpen(progress)).toBe(step);
  expect(isNew(progress)).toBe(fresh);
});
