import { expect, test } from 'vitest';
import { callbackBody, left } from './sign-in-steps';

test('what was copied is told apart: an address, a code, a code with its state', () => {
  expect(callbackBody(' http://localhost:1/callback?code=c&state=s ', 'mine')).toEqual({
    callbackUrl: 'http://localhost:1/callback?code=c&state=s',
  });
  expect(callbackBody('c', 'mine')).toEqual({ code: 'c', state: 'mine' });
  expect(callbackBody('c#theirs', 'mine')).toEqual({ code: 'c#theirs' });
});

test('time that is left is counted in minutes and seconds', () => {
  expect(left(600_000)).toContain('10:00');
  expect(left(59_001)).toContain('1:00');
  expect(left(8_500)).toContain('0:09');
  expect(left(0)).toContain('has ended');
});
