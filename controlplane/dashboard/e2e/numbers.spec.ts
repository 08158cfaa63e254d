import type { Page } from '@playwright/test';
import { type Gateway, chat, createKey, expect, test } from './gateway';
import { manage } from './manage';

type Plane = { id: string; revision: number; inflight: number; version: string; status: string };
type Backup = { id: string; connectionCount: number; comboCount: number; apiKeyCount: number; reason: string };

const english = new Intl.NumberFormat('en-US');
const card = (page: Page, label: string) => page.getByRole('main').locator('.mantine-Card-root').filter({ hasText: label }).first();

/** What happened so far: a request, a backup, a policy. */
async function prepare(gateway: Gateway, page: Page) {
  const key = await createKey(page, 'counted');
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
}

test('the numbers of the overview and of the page of nodes are those of the management API', async ({ gateway, signedIn: page }) => {
  await prepare(gateway, page);
  await page.goto('/dashboard/');
  const { connections } = await manage<{ connections: object[] }>(gateway, page, 'GET', '/api/providers');
  const { keys } = await manage<{ keys: object[] }>(gateway, page, 'GET', '/api/keys');
  const { dataPlanes } = await manage<{ dataPlanes: Plane[] }>(gateway, page, 'GET', '/api/monitoring/health');
  const [plane] = dataPlanes;
  if (!plane) throw new Error('no data plane is connected');
  await expect(card(page, 'Connections')).toContainText(`Connections${connections.length}`);
  await expect(card(page, 'API keys')).toContainText(`API keys${keys.length}`);
  const row = page.getByRole('row').filter({ hasText: plane.id });
  await expect(row.getByRole('cell').nth(2)).toHaveText(`revision ${plane.revision}`);
  await expect(row.getByRole('cell').nth(3)).toHaveText(`${plane.inflight}`);
  await expect(row.getByRole('cell').nth(4)).toHaveText(plane.version);

  await page.goto('/dashboard/nodes');
  const fleet = await manage<{ dataPlanes: Plane[]; configRevision: number }>(gateway, page, 'GET', '/api/dataplanes');
  const ready = fleet.dataPlanes.filter(({ status }) => status === 'ready').length;
  const figure = (name: string) => page.getByRole('group', { name, exact: true });
  await expect(figure('Ready')).toContainText(`${ready} of ${fleet.dataPlanes.length}`);
  await expect(figure('Configuration')).toContainText(`revision ${fleet.configRevision}`);
  await expect(figure('In flight')).toContainText(`${fleet.dataPlanes.reduce((sum, { inflight }) => sum + inflight, 0)}`);
  const own = page.getByRole('region', { name: 'Data planes' }).getByRole('row').filter({ hasText: plane.id });
  await expect(own.getByRole('cell').nth(2)).toHaveText(`${fleet.dataPlanes[0]?.revision} of ${fleet.configRevision}`);
  await expect(own.getByRole('cell').nth(3)).toHaveText(`${fleet.dataPlanes[0]?.version}`);
});

test('the numbers of backups, limits and of the list of requests are those of the management API', async ({ gateway, signedIn: page }) => {
  await prepare(gateway, page);
  await manage(gateway, page, 'PUT', '/api/db-backups');
  await page.goto('/dashboard/backups');
  const { backups } = await manage<{ backups: Backup[] }>(gateway, page, 'GET', '/api/db-backups');
  const rows = page.getByRole('row').filter({ has: page.getByRole('button', { name: /^Restore / }) });
  await expect(rows).toHaveCount(backups.length);
  for (const { id, connectionCount, comboCount, apiKeyCount, reason } of backups.slice(0, 3)) {
    const row = rows.filter({ has: page.getByRole('button', { name: `Restore ${id}` }) });
    const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
    await expect(row).toContainText([counted(connectionCount, 'connection'), counted(comboCount, 'combo'), counted(apiKeyCount, 'key')].join(', '));
    await expect(row).toContainText(reason);
  }

  await page.goto('/dashboard/limits');
  type Pace = { defaults: { requestsPerMinute: number; concurrentRequests: number; minTimeBetweenRequests: number }; protectedConnections: number };
  const { defaults, protectedConnections } = await manage<Pace>(gateway, page, 'GET', '/api/rate-limit');
  await expect(page.getByRole('region', { name: 'Pace' })).toContainText(
    `Protected accounts: ${protectedConnections}. Each gets ${defaults.requestsPerMinute} requests per minute, ` +
      `${defaults.concurrentRequests} at a time, ${defaults.minTimeBetweenRequests} ms apart.`,
  );
  const { connections } = await manage<{ connections: object[] }>(gateway, page, 'GET', '/api/rate-limits');
  await expect(page.getByRole('region', { name: 'Accounts' }).getByRole('switch')).toHaveCount(connections.length);

  type Request = { id: string; duration: number; status: number; tokens: { in: number; out: number } };
  const logged = () => manage<Request[]>(gateway, page, 'GET', '/api/usage/request-logs?format=json&limit=50&apiKey=counted');
  await expect.poll(async () => (await logged()).length).toBeGreaterThan(0);
  await page.goto('/dashboard/requests?key=counted');
  for (const { id, duration, status, tokens } of (await logged()).slice(0, 2)) {
    const row = page.getByRole('row').filter({ has: page.locator(`a[href$="${id}"]`) });
    await expect(row.getByRole('cell').nth(4)).toHaveText(`${status}`);
    await expect(row.getByRole('cell').nth(5)).toHaveText(english.format(tokens.in));
    await expect(row.getByRole('cell').nth(6)).toHaveText(english.format(tokens.out));
    await expect(row.getByRole('cell').nth(7)).toHaveText(`${english.format(duration)} ms`);
  }
});
