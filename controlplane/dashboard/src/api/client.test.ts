import { expect, test } from 'vitest';
import { ApiFailure, settle, unwrap } from './client';

function refused(status: number, error?: unknown, headers?: HeadersInit) {
  return Promise.resolve({ error, response: new Response(null, { status, headers }) });
}

test('a refusal becomes a failure with everything a person and support need', async () => {
  const details = [{ field: 'name', message: 'is required' }];
  const body = { error: { code: 'VALIDATION', message: 'the request is invalid', correlation_id: 'r-1', details } };
  const failure = await unwrap(refused(422, body)).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ApiFailure);
  expect(failure).toMatchObject({ status: 422, code: 'VALIDATION', message: 'the request is invalid', correlationId: 'r-1', details });
});

test('an answer that is not ours is still a failure with a request id', async () => {
  const failure = await unwrap(refused(502, '<html>', { 'x-request-id': 'r-2' })).catch((error: unknown) => error);
  expect(failure).toMatchObject({ status: 502, code: 'HTTP_502', correlationId: 'r-2', details: [] });
});

test('a write tells how many data planes run it', async () => {
  const response = new Response(null, { status: 201, headers: { 'x-config-applied': '1/2' } });
  expect(await settle(Promise.resolve({ data: { id: 7 }, response }))).toEqual({ data: { id: 7 }, applied: '1/2' });
});

test('whoever does not answer at all is said to in words, and what was broken off is no failure of theirs', async () => {
  const failure = await unwrap(Promise.reject(new TypeError('Failed to fetch'))).catch((error: unknown) => error);
  expect(failure).toMatchObject({ status: 0, code: 'NETWORK', message: 'The control plane cannot be reached.' });
  const aborted = new DOMException('aborted', 'AbortError');
  expect(await unwrap(Promise.reject(aborted)).catch((error: unknown) => error)).toBe(aborted);
});
