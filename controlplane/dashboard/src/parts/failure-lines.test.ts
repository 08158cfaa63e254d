import { expect, test } from 'vitest';
import { failureLines } from './failure-lines';

const key = { field: 'apiKey', message: 'its `type` must be service_account' };
const name = { field: 'name', message: 'must not be empty' };

test.each([
  ['invalid request', [], ['invalid request']],
  ['2 fields are wrong', [key, name], ['2 fields are wrong', `apiKey: ${key.message}`, `name: ${name.message}`]],
  // the sentence already says it
  [`apiKey: ${key.message}`, [key], [`apiKey: ${key.message}`]],
  [`apiKey: ${key.message}`, [key, name], [`apiKey: ${key.message}`, `name: ${name.message}`]],
  ['twice', [name, name], ['twice', `name: ${name.message}`]],
])('of "%s" every line is said once', (message, details, lines) => {
  expect(failureLines(message, details)).toEqual(lines);
});
