import { expect, test } from 'vitest';
import { settingsOf, standing } from './words';

const wanted = { baseUrl: 'https://gateway.test', apiKey: 'sk-1', model: 'a/b', opus: '', haiku: 'a/small' };

test('Claude Code is told by variables, and one model stands for those that were left open', () => {
  expect(settingsOf('claude', wanted)).toEqual({
    env: {
      ANTHROPIC_BASE_URL: 'https://gateway.test',
      ANTHROPIC_AUTH_TOKEN: 'sk-1',
      ANTHROPIC_DEFAULT_SONNET_MODEL: 'a/b',
      ANTHROPIC_DEFAULT_OPUS_MODEL: 'a/b',
      ANTHROPIC_DEFAULT_HAIKU_MODEL: 'a/small',
    },
  });
});

test('the others are told address, key and model, and no key that is empty', () => {
  expect(settingsOf('codex', wanted)).toEqual({ baseUrl: 'https://gateway.test', apiKey: 'sk-1', model: 'a/b' });
  expect(settingsOf('droid', { ...wanted, apiKey: '' })).toEqual({ baseUrl: 'https://gateway.test', model: 'a/b' });
});

const tool = { installed: false, runnable: false, reason: '', toolId: 'x', message: '', requiresBinary: true, runtimeMode: 'auto' };

test.each([
  [{ ...tool, reason: 'remote_control_plane' }, 'not looked for'],
  [{ ...tool, reason: 'something_new' }, 'something_new'],
  [{ ...tool, installed: true, runnable: true }, 'installed'],
  [{ ...tool, installed: true, reason: 'not_executable' }, 'cannot be run'],
])('what is known of a tool is said in words', (known, words) => {
  expect(standing(known).label).toBe(words);
});
