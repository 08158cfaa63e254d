import { type Cluster, startCluster } from './cluster';
import { PASSWORD, expect, expectAccessible, test as base } from './gateway';
import { manage } from './manage';

type Fleet = { dataPlanes: { id: string; address: string; status: string; connected: boolean }[] };

const test = base.extend<{ cluster: Cluster }>({
  cluster: async ({}, use) => {
    const cluster = await startCluster(2);
    await use(cluster);
    await cluster.stop();
  },
  baseURL: async ({ cluster }, use) => use(cluster.address),
});

test('one of two data planes is drained, which is asked about and followed, and the other one stays', async ({ cluster, page }) => {
  const gateway = { address: cluster.address, demo: '' };
  await manage(gateway, page, 'POST', '/api/auth/login', { password: PASSWORD });
  const fleet = () => manage<Fleet>(gateway, page, 'GET', '/api/dataplanes');
  const planes = (await fleet()).dataPlanes;
  expect(planes).toHaveLength(2);
  const leaving = planes.find((plane) => plane.address === cluster.planes[0]?.address);
  const id = leaving?.id ?? '';

  // whom to restart or stop is chosen from a list, on the page that has it
  await page.goto('/dashboard/health');
  await expect(page.getByRole('group', { name: 'Data planes' })).toContainText('2 of 2');
  await expect(page.getByRole('region', { name: 'Processes' })).toHaveCount(0);
  await page.getByRole('link', { name: 'All about them' }).click();
  await expect(page.getByRole('group', { name: 'Ready' })).toContainText('2 of 2');
  await expect(page.getByText('There is one process')).toHaveCount(0);
  await page.getByRole('button', { name: `Drain ${id}` }).click();
  const dialog = page.getByRole('dialog', { name: `Drain ${id}?` });
  await expect(dialog).toContainText('The other data planes take over.');
  await dialog.getByRole('button', { name: 'Leave it' }).click();
  expect((await fleet()).dataPlanes.every((plane) => plane.status === 'ready')).toBe(true);

  await page.getByRole('button', { name: `Drain ${id}` }).click();
  await dialog.getByRole('button', { name: 'Drain', exact: true }).click();
  const progress = page.getByRole('status').filter({ hasText: 'Stop' });
  await expect(progress).toContainText('Stop: done');
  await expect(progress).toContainText(`${id} done`);
  expect(cluster.planes.map(({ process }) => process.exitCode)).toEqual([0, null]);
  const row = page.getByRole('row').filter({ hasText: id });
  await expect(row.getByRole('button', { name: `Drain ${id}` })).toBeDisabled();
  await expect(page.getByRole('group', { name: 'Ready' })).toContainText('1 of 2');
  await expectAccessible(page);

  // what is left is the last one, and the question says so
  const last = planes.find((plane) => plane.id !== id)?.id ?? '';
  await page.getByRole('button', { name: `Drain ${last}` }).click();
  await expect(page.getByRole('dialog')).toContainText('No other data plane is ready');
  await page.keyboard.press('Escape');

  // a part of the installation can be chosen
  await page.getByRole('button', { name: 'Shut down' }).click();
  const ending = page.getByRole('dialog', { name: 'Shut down the gateway?' });
  await ending.getByRole('combobox', { name: 'What' }).click();
  await expect(page.getByRole('option')).toHaveText(['Everything', 'All data planes', 'This control plane', last]);
  await page.getByRole('option', { name: last }).click();
  await ending.getByRole('button', { name: 'Shut down', exact: true }).click();
  await expect(progress).toContainText(`${last} done`);
  expect(cluster.planes.map(({ process }) => process.exitCode)).toEqual([0, 0]);
  expect((await page.request.get('/api/auth/status')).status()).toBe(200);
});
