import { expect, test } from 'vitest';
import { type Key, bodyOf, changesOf, newKey, valuesOf } from './values';

const key: Key = {
  id: '1',
  name: 'ci',
  key: 'sk-12345****6789',
  machineId: 'm',
  allowedModels: ['openai/*'],
  allowedConnections: [],
  scopes: ['inference'],
  isActive: true,
  noLog: false,
  expiresAt: '2030-03-01T08:00:12.345Z',
  rpm: 60,
  tpm: null,
  concurrency: null,
  rateLimits: [{ limit: 10, window: 3_600 }],
  createdAt: '2026-03-01T08:00:00.000Z',
  updatedAt: '2026-03-01T08:00:00.000Z',
};

test('what a form leaves empty is no limit and no end', () => {
  expect(bodyOf({ ...newKey, name: ' ci ' })).toEqual({
    name: 'ci',
    allowedModels: [],
    allowedConnections: [],
    scopes: ['inference'],
    noLog: false,
    expiresAt: null,
    rpm: null,
    tpm: null,
    concurrency: null,
    rateLimits: null,
  });
});

test('only what was changed is sent, and what was emptied is taken back', () => {
  const before = valuesOf(key);
  expect(changesOf(before, before)).toEqual({});
  expect(changesOf({ ...before, rpm: '', tpm: 5_000, rateLimits: [] }, before)).toEqual({ rpm: null, tpm: 5_000, rateLimits: null });
  expect(changesOf({ ...before, expiresAt: '' }, before)).toEqual({ expiresAt: null });
});

test('a moment is the same one after it was in a field, to the minute', () => {
  const { expiresAt } = bodyOf(valuesOf(key));
  expect(expiresAt).toBe('2030-03-01T08:00:00.000Z');
});
