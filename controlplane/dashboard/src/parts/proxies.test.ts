import { expect, test } from 'vitest';
import { type Proxy, addressOf, placedProxies, wayOf } from './proxies';

const proxy = (host: string): Proxy => ({ type: 'http', host, port: 3128 });
const config = { global: proxy('all'), providers: { openai: proxy('shared') }, combos: { c: proxy('combo') }, keys: { one: proxy('own') } };

test('the proxy closest to a connection is its way, and there may be none', () => {
  const hosts = (provider: string, connection?: string) => wayOf(config, provider, connection)?.proxy.host;
  expect([hosts('openai', 'one'), hosts('openai', 'two'), hosts('openai'), hosts('mistral', 'three')]).toEqual(['own', 'shared', 'shared', 'all']);
  expect(wayOf({ providers: {}, combos: {}, keys: {} }, 'openai', 'one')).toBeNull();
});

test('every proxy is listed with what it is for, and its address has no password', () => {
  expect(placedProxies(config).map(({ level, id }) => [level, id])).toEqual([
    ['global', null],
    ['provider', 'openai'],
    ['combo', 'c'],
    ['key', 'one'],
  ]);
  expect(addressOf({ ...proxy('host'), username: 'me', password: '********' })).toBe('http://me@host:3128');
});
