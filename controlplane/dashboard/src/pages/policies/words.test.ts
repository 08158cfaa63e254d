import { expect, test } from 'vitest';
import { whatHappens, whichRequests } from './words';

const named = (id: string) => `key ${id}`;

test.each([
  [{}, 'all requests'],
  [{ model_pattern: 'gpt-*' }, 'requests for gpt-*'],
  [{ api_key_ids: ['1', '2'], providers: ['openai'] }, 'requests by key 1, key 2, to openai'],
  [{ hours: { from: '22:00', until: '06:00' } }, 'requests from 22:00 to 06:00 UTC'],
  [{ hours: { from: '08:00', until: '18:00', days: [1, 7] } }, 'requests from 08:00 to 18:00 UTC on Mon, Sun'],
])('%j reads as told', (conditions, words) => {
  expect(whichRequests(conditions, named)).toBe(words);
});

test.each([
  [{ prefer_provider: ['openai', 'groq'] }, 'try openai, groq first'],
  [{ block_model: ['o1*'] }, 'refuse o1*'],
  [{ max_tokens: 100 }, 'at most 100 tokens in an answer'],
])('%j reads as told', (actions, words) => {
  expect(whatHappens(actions)).toBe(words);
});
