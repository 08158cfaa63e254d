import { expect, test } from 'vitest';
import { costsOf } from './cost-by-class';

const tokens = { in: 1_110, out: 24, cacheRead: 100, cacheCreation: 10, reasoning: 4 };
const price = { input: 3, output: 15, cached: 0.3, reasoning: 22.5, cache_creation: 3.75 };

test('each kind of tokens has its cost where they make the sum that was billed', () => {
  const costs = costsOf(tokens, price, 0.003 + 0.00003 + 0.0000375 + 0.0003 + 0.00009);
  expect(costs?.uncached).toBeCloseTo(0.003, 12);
  expect(costs?.cacheRead).toBeCloseTo(0.00003, 12);
  expect(costs?.cacheCreation).toBeCloseTo(0.0000375, 12);
  expect(costs?.visible).toBeCloseTo(0.0003, 12);
  expect(costs?.reasoning).toBeCloseTo(0.00009, 12);
});

test('a sum that today’s prices do not make is not taken apart', () => {
  expect(costsOf(tokens, price, 0.0034)).toBeNull();
  expect(costsOf(tokens, { ...price, input: 2.5 }, 0.0034575)).toBeNull();
  expect(costsOf(tokens, undefined, 0)).toBeNull();
  expect(costsOf(tokens, { input: 3 }, 0.0034575)).toBeNull();
});

test('a sum was rounded once, to whole nano-USD', () => {
  const one = { in: 1, out: 0, cacheRead: 0, cacheCreation: 0, reasoning: 0 };
  // 1.4999 nano-USD
  expect(costsOf(one, { input: 0.0014999, output: 1 }, 1e-9)).not.toBeNull();
  expect(costsOf(one, { input: 0.0014999, output: 1 }, 3e-9)).toBeNull();
});
