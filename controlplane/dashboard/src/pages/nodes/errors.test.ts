import { expect, test } from 'vitest';
import { describe } from './errors';

test.each([
  [{ code: 'INVALID', kind: 'POLICY', id: 'p1', message: 'unbalanced parenthesis', quarantined: true }, 'policy p1: unbalanced parenthesis (left out, the rest is in use)'],
  [{ code: 'DIGEST_MISMATCH', kind: '', id: '', message: '', quarantined: false }, 'digest mismatch'],
])('what a data plane could not use is said in words', (error, words) => {
  expect(describe(error)).toBe(words);
});
