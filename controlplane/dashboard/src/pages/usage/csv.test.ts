import { expect, test } from 'vitest';
import { csvOf } from './csv';

const sum = {
  requests: 3,
  errors: 1,
  givenAgain: 0,
  promptTokens: 120_000,
  cacheReadTokens: 7,
  cacheCreationTokens: 0,
  completionTokens: 40,
  reasoningTokens: 5,
  cost: 0.000123,
  adjustment: -0.5,
  unpricedRequests: 0,
};
const COUNTS = 'requests,errors,givenAgain,promptTokens,cacheReadTokens,cacheCreationTokens,completionTokens,reasoningTokens,cost,adjustment,unpricedRequests';

test('a table has what each row is about and all of its counts, unrounded', () => {
  expect(csvOf([{ ...sum, date: '2026-11-30' }], ['date'])).toBe(`date,${COUNTS}\r\n2026-11-30,3,1,0,120000,7,0,40,5,0.000123,-0.5,0\r\n`);
  expect(csvOf<typeof sum & { date: string }>([], ['date'])).toBe(`date,${COUNTS}\r\n`);
});

test('a name is one cell whatever is in it, and no formula', () => {
  const names = ['a, "b"', '=1+1', '@cmd', 'plain', null];
  const cells = csvOf(names.map((apiKey) => ({ ...sum, apiKey })), ['apiKey'])
    .split('\r\n')
    .slice(1, -1)
    .map((line) => line.slice(0, line.indexOf(',3,1,0,')));
  expect(cells).toEqual(['"a, ""b"""', "'=1+1", "'@cmd", 'plain', '']);
});
