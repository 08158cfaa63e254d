import { PASSWORD, expect, expectAccessible, expectFits, test } from './gateway';
import { manage } from './manage';

type Health = { system: { uptime: number } };
type Fleet = { configRevision: number; dataPlanes: { id: string; version: string; address: string; revision: number }[] };

test('the page of nodes says what the management API says, and that there is one process', async ({ complaints, gateway, signedIn: page }) => {
  await page.goto('/dashboard/');
  await page.getByRole('link', { name: 'Nodes', exact: true }).click();
  await expect(page.getByText('There is one process')).toBeVisible();
  const fleet = await manage<Fleet>(gateway, page, 'GET', '/api/dataplanes');
  const planes = page.getByRole('region', { name: 'Data planes' });
  for (const plane of fleet.dataPlanes) {
    const row = planes.getByRole('row').filter({ hasText: plane.id });
    await expect(row).toContainText('ready');
    await expect(row).toContainText(`${plane.revision} of ${fleet.configRevision}`);
    await expect(row).toContainText(plane.version);
    await expect(row).toContainText(plane.address);
  }
  await expect(page.getByRole('group', { name: 'Ready' })).toContainText(`${fleet.dataPlanes.length} of ${fleet.dataPlanes.length}`);
  await expect(page.getByRole('group', { name: 'Configuration' })).toContainText(`revision ${fleet.configRevision}`);
  // draining could only be refused
  await expect(page.getByRole('button', { name: /^Drain/ })).toHaveCount(0);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectFits(page);
  await expectAccessible(page);
  expect(complaints).toEqual([]);
});

test('a restart is asked about, followed, and over when the gateway answers again', async ({ gateway, signedIn: page }) => {
  const since = async () => {
    const answer = await page.request.get('/api/monitoring/health').catch(() => null);
    const { system } = ((await answer?.json().catch(() => null)) ?? {}) as Partial<Health>;
    return system ? Date.now() - system.uptime * 1_000 : 0;
  };
  const before = await since();
  await page.goto('/dashboard/nodes');
  await page.getByRole('button', { name: 'Restart' }).click();
  const dialog = page.getByRole('dialog', { name: 'Restart the gateway?' });
  await dialog.getByRole('button', { name: 'Leave it running' }).click();
  await expect(dialog).toBeHidden();
  await expect(page).not.toHaveURL(/operation/);

  await page.getByRole('button', { name: 'Restart' }).click();
  await dialog.getByLabel('Time for running requests, seconds').fill('5');
  await dialog.getByRole('button', { name: 'Restart', exact: true }).click();
  const progress = page.getByRole('status').filter({ hasText: 'Restart' });
  await expect(progress).toContainText('control-plane done');
  await expect.poll(since, { timeout: 60_000 }).toBeGreaterThan(before + 1_000);
  await expect(async () => expect((await fetch(`${gateway.address}/readyz`)).ok).toBe(true)).toPass({ timeout: 60_000 });

  // the operation is in the address, and in the database
  await page.reload();
  await expect(progress).toContainText('Restart: done');
  await progress.getByRole('button', { name: 'Dismiss' }).click();
  await expect(page).not.toHaveURL(/operation/);
});

test('a viewer sees the nodes, and operates nothing', async ({ browser, gateway, signedIn: page }) => {
  const body = { username: 'nora', role: 'viewer', password: PASSWORD };
  const account = await manage<{ id: string }>(gateway, page, 'POST', '/api/accounts', body);
  const theirs = await (await browser.newContext({ baseURL: gateway.address })).newPage();
  await manage(gateway, theirs, 'POST', '/api/auth/login', { username: 'nora', password: PASSWORD });
  await theirs.goto('/dashboard/nodes');
  await expect(theirs.getByText('Changing something here takes the role admin.')).toBeVisible();
  for (const name of ['Restart', 'Shut down']) await expect(theirs.getByRole('button', { name })).toBeDisabled();
  await theirs.context().close();
  await manage(gateway, page, 'DELETE', `/api/accounts/${account.id}`);
});
