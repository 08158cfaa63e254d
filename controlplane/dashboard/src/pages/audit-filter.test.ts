import { expect, test } from 'vitest';
import { readAuditFilter } from './audit-filter';

test('an address is read as far as it makes sense', () => {
  const filter = { action: 'auth.login.success', actor: 'admin', outcome: 'denied', from: '2026-03-01T08:00', to: '2026-03-02T08:00' };
  expect(readAuditFilter({ ...filter, other: 'x' })).toEqual(filter);
  expect(readAuditFilter({ action: '', actor: {}, outcome: 'maybe', from: 'yesterday', to: '2026-99-99T00:00' })).toEqual({});
  // an address that says 7 says a number
  expect(readAuditFilter({ actor: 7 })).toEqual({ actor: '7' });
});
