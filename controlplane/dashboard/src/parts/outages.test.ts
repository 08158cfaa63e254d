import { expect, test } from 'vitest';
import type { Health, HealthReport } from './health';
import { gatewayOutages } from './outages';

const check = (ok: boolean) => ({ ok, latencyMs: ok ? 1 : null });
const report = (postgres: boolean, redis: boolean, planes: string[]) =>
  ({ status: 'degraded', postgres: check(postgres), redis: check(redis), dataPlanes: planes.map((status) => ({ status })) }) as unknown as HealthReport;

test('a gateway that works has no outages, whatever its providers do', () => {
  expect(gatewayOutages(report(true, true, ['gone', 'ready']), false)).toEqual([]);
  expect(gatewayOutages(undefined, false)).toEqual([]);
});

test('each part that does not answer is named, and what that means', () => {
  expect(gatewayOutages(report(false, true, ['ready']), false)).toEqual([expect.stringMatching(/^The database .* nothing can be saved/)]);
  expect(gatewayOutages(report(true, false, ['ready']), false)).toEqual([expect.stringMatching(/^The state store /)]);
  expect(gatewayOutages(report(false, false, ['ready']), false)).toHaveLength(2);
  expect(gatewayOutages(report(true, true, ['gone', 'draining']), false)).toEqual([expect.stringMatching(/^No data plane is ready/)]);
  // what a database knows of data planes is not known without it
  expect(gatewayOutages(report(false, true, []), false)).toHaveLength(1);
});

test('whoever learns only a verdict is told of the database, and nobody is told of a plane that cannot be reached twice', () => {
  const verdict = { status: 'unhealthy', timestamp: '', version: '' } as Health;
  expect(gatewayOutages(verdict, false)).toHaveLength(1);
  expect(gatewayOutages({ ...verdict, status: 'degraded' } as Health, false)).toEqual([]);
  expect(gatewayOutages(report(false, false, []), true)).toEqual([expect.stringMatching(/^The control plane /)]);
});
