import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PASSWORD, expect, expectAccessible, expectFits, startGateway, test } from './gateway';
import { manage } from './manage';

type Storage = { driver: string; version: string; sizeBytes: number; usageEvents: number; oldestUsageAt?: string | null };

/** Where copies go; what comes back is what an operator is shown. */
async function startEndpoint() {
  const asked: string[] = [];
  let away = false;
  const server = createServer((request, response) => {
    request.resume();
    asked.push(`${request.method} ${request.url?.split('/')[1]}`);
    response.writeHead(away ? 503 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ changes: { providers: 'all of them' } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    leave: () => (away = true),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('cloud sync is enabled, asked for a copy and disabled, and says how it goes', async ({ browser }) => {
  const endpoint = await startEndpoint();
  const env = { INITIAL_PASSWORD: PASSWORD, CLOUD_URL: endpoint.address, CLOUD_SYNC_KEY: 'a key for the browser tests that is long enough' };
  const gateway = await startGateway({ env });
  try {
    const page = await (await browser.newContext({ baseURL: gateway.address })).newPage();
    await manage(gateway, page, 'POST', '/api/auth/login', { password: PASSWORD });
    type Status = { enabled: boolean; connected?: boolean; lastSync?: string };
    const status = () => manage<Status>(gateway, page, 'GET', '/api/sync/cloud');
    await page.goto('/dashboard/backups');
    const section = page.getByRole('region', { name: 'Cloud sync' });
    await expect(section).toContainText('It is off: nothing leaves this installation.');
    await section.getByRole('button', { name: 'Enable' }).click();
    const dialog = page.getByRole('dialog');
    await expectAccessible(page);
    await dialog.getByRole('button', { name: 'Leave it' }).click();
    await expect(dialog).toBeHidden();
    expect((await status()).enabled).toBe(false);
    expect(endpoint.asked).toEqual([]);

    await section.getByRole('button', { name: 'Enable' }).click();
    await dialog.getByRole('button', { name: 'Enable' }).click();
    await expect(page.getByRole('dialog', { name: 'Cloud sync is enabled' })).toBeVisible();
    await expect(dialog).toContainText('The endpoint has the copy and accepts our signature.');
    await expect(dialog.getByLabel('Changes')).toContainText('all of them');
    await expectAccessible(page);
    await dialog.getByRole('button', { name: 'Done' }).click();
    await expect(section).toContainText('the endpoint answers');
    await expect(section).toContainText('Last copy:');
    expect(await status()).toMatchObject({ enabled: true, connected: true });
    await page.setViewportSize({ width: 390, height: 844 });
    await expectFits(page);
    await page.setViewportSize({ width: 1280, height: 800 });

    const copies = () => endpoint.asked.filter((request) => request === 'POST sync').length;
    const before = copies();
    await section.getByRole('button', { name: 'Sync now' }).click();
    await dialog.getByRole('button', { name: 'Sync now' }).click();
    await expect(page.getByRole('dialog', { name: 'The copy is up to date' })).toBeVisible();
    await dialog.getByRole('button', { name: 'Done' }).click();
    expect(copies()).toBeGreaterThan(before);

    // an endpoint that cannot be told keeps its copy, which somebody has to want
    endpoint.leave();
    await section.getByRole('button', { name: 'Disable' }).click();
    await dialog.getByRole('button', { name: 'Disable' }).click();
    await expect(dialog.getByRole('alert')).toContainText(/[A-Z_]+\d* · \S{36}/);
    await expectAccessible(page);
    expect((await status()).enabled).toBe(true);
    await dialog.getByRole('checkbox', { name: 'Also when the endpoint cannot be told' }).check();
    await dialog.getByRole('button', { name: 'Disable' }).click();
    await expect(page.getByRole('dialog', { name: 'Cloud sync is disabled' })).toBeVisible();
    await dialog.getByRole('button', { name: 'Done' }).click();
    await expect(section).toContainText('It is off');
    expect((await status()).enabled).toBe(false);
    await page.context().close();
  } finally {
    await gateway.stop();
    await endpoint.stop();
  }
});

test('where no endpoint is configured, enabling says what is missing', async ({ complaints, signedIn: page }) => {
  await page.goto('/dashboard/backups');
  await page.getByRole('region', { name: 'Cloud sync' }).getByRole('button', { name: 'Enable' }).click();
  const dialog = page.getByRole('dialog', { name: 'Enable cloud sync?' });
  await dialog.getByRole('button', { name: 'Enable' }).click();
  await expect(dialog.getByRole('alert')).toContainText('CLOUD_URL');
  expect(complaints.filter((text) => !text.includes('501'))).toEqual([]);
});

test('storage says what the management API says', async ({ complaints, gateway, signedIn: page }) => {
  await page.goto('/dashboard/backups');
  const { driver, version, sizeBytes, usageEvents, oldestUsageAt } = await manage<Storage>(gateway, page, 'GET', '/api/storage/health');
  const section = page.getByRole('region', { name: 'Storage' });
  await expect(section.getByRole('group', { name: 'Database' })).toContainText(version);
  await expect(section.getByRole('group', { name: 'Database' })).toContainText(driver);
  const mebibytes = sizeBytes / 1024 ** 2;
  await expect(section.getByRole('group', { name: 'Size' })).toContainText(`${mebibytes.toFixed(mebibytes >= 100 ? 0 : 1)} MiB`);
  await expect(section.getByRole('group', { name: 'Requests in the log' })).toContainText(usageEvents === 0 && oldestUsageAt ? 'not counted yet' : `about ${usageEvents.toLocaleString('en')}`);
  expect(complaints).toEqual([]);
});
