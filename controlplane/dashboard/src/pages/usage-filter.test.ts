import { expect, test } from 'vitest';
import { readUsageFilter, usageQuery } from './usage-filter';

const key = '0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000';

test('an address is read as far as it makes sense, and a time of one’s own comes before a range', () => {
  expect(readUsageFilter({ range: '7d', provider: 'openai', model: 'gpt-4o', key, other: 'x' })).toEqual({ range: '7d', provider: 'openai', model: 'gpt-4o', key });
  expect(readUsageFilter({ range: '7d', from: '2026-03-01T08:00' })).toEqual({ from: '2026-03-01T08:00' });
  expect(readUsageFilter({ range: '8d', from: 'yesterday', to: '', provider: ' ', key: 'somebody' })).toEqual({});
});

test('a filter is said in the words of the management API, for 30 days while nobody says how long', () => {
  expect(usageQuery({})).toEqual({ range: '30d' });
  expect(usageQuery({ range: '1d', model: 'gpt-4o', key })).toEqual({ range: '1d', model: 'gpt-4o', apiKeyId: key });
  const to = '2026-03-02T08:00';
  expect(usageQuery({ to, provider: 'demo' })).toEqual({ to: new Date(to).toISOString(), provider: 'demo' });
});
