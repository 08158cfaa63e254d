import { expect, test } from 'vitest';
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
  [0.00001, '$0.0000'],
  [12.345, '$12.35'],
])('%d dollars are written %s', (usd, text) => {
  expect(dollars(usd)).toBe(text);
});

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1_999, '1 s'],
  [60_000, '1 min'],
  [7_200_000, '2 h'],
  [90_000_000, '1 d'],
])('%d milliseconds are written %s', (milliseconds, text) => {
  expect(span(milliseconds)).toBe(text);
});
