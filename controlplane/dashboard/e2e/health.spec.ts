import { PASSWORD, chat, createKey, expect, expectAccessible, test } from './gateway';
import { connect, disconnect, forgiveNothing, manage } from './manage';

type Health = { version: string; system: { uptime: number }; dataPlanes: { id: string; revision: number }[] };
type Latency = { count: number; p50: number; p95: number; p99: number };
type Breakers = { circuitBreakers: { name: string; state: string; failureCount: number }[] };

test('the page of health says what the management API says', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'health test');
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  const latency = () => manage<Latency>(gateway, page, 'GET', '/api/telemetry/summary?windowMs=86400000');
  await expect.poll(async () => (await latency()).count).toBeGreaterThan(0);

  await page.getByRole('link', { name: 'Health', exact: true }).click();
  const { version } = await manage<Health>(gateway, page, 'GET', '/api/monitoring/health');
  await expect(page.getByRole('group', { name: 'Gateway' })).toContainText('Healthy');
  await expect(page.getByRole('group', { name: 'Control plane' })).toContainText(version);

  await expect(page.getByRole('group', { name: 'Data planes' })).toContainText('1 of 1');

  const section = page.getByRole('region', { name: 'Latency' });
  await section.getByRole('radiogroup', { name: 'Window' }).getByText('Day').click();
  const { count, p50, p95, p99 } = await latency();
  const all = section.getByRole('row').filter({ hasText: 'All requests' });
  await expect(all.getByRole('cell')).toHaveText(['All requests', ...[count, p50, p95, p99].map((number) => number.toLocaleString('en'))]);
  expect(complaints).toEqual([]);
});

test('a provider that failed is left alone until somebody resets it', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'breaker test');
  const forgive = await forgiveNothing(gateway, page);
  const id = await connect(gateway, page, 'unreachable', 'http://127.0.0.1:9/v1');
  const breaker = async () => {
    const { circuitBreakers } = await manage<Breakers>(gateway, page, 'GET', '/api/resilience');
    return circuitBreakers.find(({ name }) => name === 'openai');
  };
  expect((await chat(gateway, key, 'openai/gpt-4o')).status).toBe(502);
  await expect.poll(async () => (await breaker())?.state).toBe('OPEN');

  await page.getByRole('link', { name: 'Health', exact: true }).click();
  await expect(page.getByRole('group', { name: 'Gateway' })).toContainText('Degraded');
  const row = page.getByRole('region', { name: 'Providers' }).getByRole('row').filter({ hasText: 'openai' });
  await expect(row).toContainText('left alone');
  await expect(row).toContainText(`${(await breaker())?.failureCount} failures`);
  await expect(row).toContainText('unreachable until');
  await expectAccessible(page);

  await row.getByRole('button', { name: 'Reset openai' }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'Another chance' })).toContainText('Breakers closed: 1.');
  await expect(row).toContainText('in use');
  await expect(row.getByRole('button', { name: 'Reset openai' })).toBeDisabled();
  expect((await breaker())?.state).toBe('CLOSED');
  await disconnect(gateway, page, id);
  await forgive();
  expect(complaints).toEqual([]);
});

test('a viewer sees how the gateway does, and operates nothing', async ({ browser, gateway, signedIn: page }) => {
  const body = { username: 'hedda', role: 'viewer', password: PASSWORD };
  const account = await manage<{ id: string }>(gateway, page, 'POST', '/api/accounts', body);
  const theirs = await (await browser.newContext({ baseURL: gateway.address })).newPage();
  await manage(gateway, theirs, 'POST', '/api/auth/login', { username: 'hedda', password: PASSWORD });
  await theirs.goto('/dashboard/health');
  await expect(theirs.getByText('Changing something here takes the role operator.')).toBeVisible();
  await expect(theirs.getByRole('button', { name: 'Reset all' })).toBeDisabled();
  await expect(theirs.getByRole('radio', { name: 'Day' })).toBeEnabled();
  await theirs.context().close();
  await manage(gateway, page, 'DELETE', `/api/accounts/${account.id}`);
});

test('the one process there is can be restarted from the page of health, and that is followed', async ({ complaints, gateway, signedIn: page }) => {
  const { singleProcess } = await manage<{ singleProcess: boolean }>(gateway, page, 'GET', '/api/monitoring/health');
  expect(singleProcess).toBe(true);
  await page.goto('/dashboard/health');
  const section = page.getByRole('region', { name: 'Processes' });
  await expect(section.getByRole('button', { name: 'Shut down' })).toBeEnabled();
  await section.getByRole('button', { name: 'Restart' }).click();
  const dialog = page.getByRole('dialog', { name: 'Restart the gateway?' });
  await expectAccessible(page);
  expect(complaints).toEqual([]);
  await dialog.getByLabel('Time for running requests, seconds').fill('5');
  await dialog.getByRole('button', { name: 'Restart', exact: true }).click();
  await expect(page).toHaveURL(/nodes\?operation=/);
  const progress = page.getByRole('status').filter({ hasText: 'Restart' });
  await expect(progress).toContainText('control-plane done');
  await expect(async () => expect((await fetch(`${gateway.address}/readyz`)).ok).toBe(true)).toPass({ timeout: 60_000 });
});
