import { expect, test } from 'vitest';
import { sentence } from './sentence';

test.each([
  ['the provider accepts the credential', 'The provider accepts the credential.'],
  ['Nobody answers.', 'Nobody answers.'],
])('"%s" becomes a sentence', (text, written) => {
  expect(sentence(text)).toBe(written);
});
