import { expect, test, vi } from 'vitest';
import { amount, dollars, span } from './numbers';

test.each([
  [0, '0'],
  [1234, '1,234'],
  [99_999, '99,999'],
  [1_250_000, '1.3M'],
])('a count of %d is written %s', (count, text) => {
  expect(amount(count)).toBe(text);
});

test.each([
  [0, '$0.00'],
  [0.0421, '$0.0421'],
  [0.00001, '$0.00001'],
  [0.000006349, '$0.0000063'],
  [12.345, '$12.35'],
])('%d dollars are written %s', (usd, text) => {
  expect(dollars(usd)).toBe(text);
});

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1_999, '1 sec'],
  [60_000, '1 min'],
  [7_200_000, '2 hr'],
  [90_000_000, '1 day'],
])('%d milliseconds are written %s', (milliseconds, text) => {
  expect(span(milliseconds)).toBe(text);
});

test('another language writes numbers, money and times its own way', async () => {
  vi.resetModules();
  vi.stubGlobal('navigator', { languages: ['id-ID'] });
  const own = await import('./numbers');
  vi.unstubAllGlobals();
  expect([own.amount(1234), own.percent(0.07), own.weekday(1)]).toEqual(['1.234', '7%', 'Sen']);
  // how a sum is set apart from its currency differs between versions of ICU
  expect(own.dollars(12.345)).toMatch(/^US\$\s?12,35$/);
  expect(own.span(7_200_000)).toMatch(/^2 j/);
});
