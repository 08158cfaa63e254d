import { expect, test } from 'vitest';
import { type Health, outagesOf } from './health';

const outage = (provider: string, model: string | null) => ({ provider, model, reason: 'it failed', remainingMs: 1, scope: 'model' as const });
const health: Health = {
  metrics: {},
  outages: [outage('id of a node', null), outage('anthropic', 'one'), outage('anthropic', 'two')],
  providers: new Map([
    ['cc', 'anthropic'],
    ['mine', 'id of a node'],
  ]),
};

test('a member rests with its model or with its whole provider, whatever prefix it is written with', () => {
  expect(outagesOf('cc/one', health)).toHaveLength(1);
  expect(outagesOf('anthropic/two', health)).toHaveLength(1);
  expect(outagesOf('mine/any/model', health)).toHaveLength(1);
  expect(outagesOf('cc/three', health)).toEqual([]);
});

test('a member that leads elsewhere has no rest of its own', () => {
  expect(outagesOf('one', health)).toEqual([]);
});
