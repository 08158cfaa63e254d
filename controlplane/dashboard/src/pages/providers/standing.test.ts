import { expect, test } from 'vitest';
import { type Standing, restOf } from './standing';

const account = (connectionId: string, cooldownUntil: string | null) => ({ connectionId, cooldownUntil }) as Standing['limits']['connections'][number];
const lockout = (connectionId: string, model: string) => ({ connectionId, model, provider: 'openai', reason: 'rate_limit', remainingMs: 1_000 });

test('an account rests as long as its own rest says, and its models as theirs do', () => {
  const limits = {
    connections: [account('a', '2026-03-01T08:00:00.000Z'), account('b', null)],
    lockouts: [lockout('b', 'gpt-4o'), lockout('c', 'o3')],
    overview: {},
  };
  expect(restOf('a', limits)).toEqual({ until: '2026-03-01T08:00:00.000Z', models: [] });
  expect(restOf('b', limits)).toEqual({ until: null, models: [lockout('b', 'gpt-4o')] });
  expect(restOf('gone', limits)).toEqual({ until: null, models: [] });
});
