import { expect, test } from 'vitest';
import { readProxyLogFilter } from './proxy-log-filter';

test('an address is read as far as it makes sense', () => {
  const filter = { status: 'timeout', type: 'socks5', level: 'key', provider: 'openai', text: 'lab' };
  expect(readProxyLogFilter({ ...filter, other: 'x' })).toEqual(filter);
  expect(readProxyLogFilter({ status: 'fine', type: 'ftp', level: 'mine', provider: ' ', text: {} })).toEqual({});
  // an address that says 7 says a number
  expect(readProxyLogFilter({ text: 7 })).toEqual({ text: '7' });
});
