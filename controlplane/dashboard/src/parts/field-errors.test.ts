import { expect, test } from 'vitest';
import { fieldErrors, fieldPaths } from './field-errors';

const at = (field: string) => fieldErrors([{ field, message: 'is wrong' }], ['port', 'blacklist', 'hedging.share'], 'proxy');

test.each([
  ['port', { port: 'is wrong' }],
  ['proxy.port', { port: 'is wrong' }],
  ['hedging.share', { 'hedging.share': 'is wrong' }],
  ['blacklist[2]', { blacklist: '2: is wrong' }],
  ['blacklist.2', { blacklist: '2: is wrong' }],
  ['ports', {}],
  ['', {}],
])('a remark about "%s" finds its field', (field, errors) => {
  expect(at(field)).toEqual({ errors, rest: Object.keys(errors).length > 0 ? [] : [{ field, message: 'is wrong' }] });
});

test('the fields of a form are named by their paths, and a list is one field', () => {
  expect(fieldPaths({ name: '', hours: { from: '', days: ['1'] }, limit: null })).toEqual(['name', 'hours.from', 'hours.days', 'limit']);
});
