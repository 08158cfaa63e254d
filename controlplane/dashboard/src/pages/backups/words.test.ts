import { expect, test } from 'vitest';
import { size } from './words';

test('a size has the largest unit that leaves a number to read', () => {
  expect([0, 900, 4096, 122_880, 1_048_576, 104_857_600, 5_000_000_000].map(size)).toEqual([
    '0 bytes',
    '900 bytes',
    '4.0 KiB',
    '120 KiB',
    '1.0 MiB',
    '100 MiB',
    '4.7 GiB',
  ]);
});
