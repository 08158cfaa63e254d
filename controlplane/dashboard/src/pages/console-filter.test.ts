import { expect, test } from 'vitest';
import { readConsoleFilter } from './console-filter';

test('an address is read as far as it makes sense', () => {
  const filter = { level: 'warn', component: 'controlplane::publish', node: 'dp-1' };
  expect(readConsoleFilter({ ...filter, other: 'x' })).toEqual(filter);
  expect(readConsoleFilter({ level: 'loud', component: ' ', node: null })).toEqual({});
});
