import { expect, test } from 'vitest';
import { changesOf, valuesOf } from './connection-changes';
import type { Catalog, Connection } from './groups';

const stored = {
  id: 'c1',
  name: 'team',
  defaultModel: 'gpt-4o',
  allowPrivateAddress: true,
  providerSpecificData: { baseUrl: 'http://10.0.0.7/v1', region: 'eu-central-1', odd: 7 },
} as unknown as Connection;
const entry = (fields: string[]) => ({ fields }) as unknown as Catalog[string];

test('what nobody changed is not sent, and a key that is not written stays', () => {
  const before = valuesOf(stored);
  expect(before).toMatchObject({ name: 'team', apiKey: '', baseUrl: 'http://10.0.0.7/v1', region: 'eu-central-1', project: '' });
  expect(changesOf(before, before, entry(['region', 'project']))).toEqual({});
  expect(changesOf({ ...before, apiKey: 'sk-new' }, before, undefined)).toEqual({ apiKey: 'sk-new' });
});

test('what was emptied is taken back, and only what the provider knows is said', () => {
  const before = valuesOf(stored);
  const after = { ...before, name: ' other ', defaultModel: ' ', baseUrl: '', region: 'us-east-1', project: 'p', allowPrivateAddress: false, onDisconnect: 'drain' as const };
  expect(changesOf(after, before, entry(['region']))).toEqual({
    name: 'other',
    defaultModel: null,
    allowPrivateAddress: false,
    providerSpecificData: { baseUrl: null, region: 'us-east-1', onDisconnect: 'drain' },
  });
});
