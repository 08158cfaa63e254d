import { expect, test } from 'vitest';
import { modelOf } from './member';

test('a member names its model with and without a weight', () => {
  expect(modelOf('openai/gpt-4o')).toBe('openai/gpt-4o');
  expect(modelOf({ model: 'openai/gpt-4o', weight: 3 })).toBe('openai/gpt-4o');
});
