import { expect, test } from 'vitest';
import { whereaboutsOf } from './credential-fields';
import type { Catalog } from './groups';

const entry = (fields: string[]): Catalog[string] => ({
  id: 'vertex',
  provider: 'Google Vertex AI',
  custom: false,
  keyless: false,
  credential: 'service-account',
  fields,
  authType: 'apikey',
  active: false,
  models: [],
});

test('only what the provider knows and somebody filled in is sent', () => {
  const values = { region: ' eu ', project: '' };
  expect(whereaboutsOf(entry(['region', 'project']), values)).toEqual({ region: 'eu' });
  expect(whereaboutsOf(entry([]), values)).toEqual({});
  expect(whereaboutsOf(undefined, values)).toEqual({});
});
