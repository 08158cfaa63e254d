import { expect, test } from 'vitest';
import { wordApplied } from './applied';

test.each([
  [null, true, 'Saved.'],
  ['2/2', true, 'Applied on 2 of 2 data planes.'],
  ['1/2', false, 'Applied on 1 of 2 data planes.'],
  ['0/0', true, 'Applied on 0 of 0 data planes.'],
])('%s reads as told', (applied, everywhere, message) => {
  expect(wordApplied(applied)).toEqual({ everywhere, message });
});
