import { chat, createKey, expect, expectAccessible, expectFits, test } from './gateway';
import { connect, disconnect, manage } from './manage';

type Call = { id: string; timestamp: string; provider: string; account: string | null; level: string; status: string; latencyMs: number };

test('calls are found by the way they went, say what the management API says, and the log is begun anew', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'ways out');
  const calls = (filter = '') => manage<Call[]>(gateway, page, 'GET', `/api/usage/proxy-logs?limit=200${filter}`);
  // nothing listens there: the proxy is what fails
  const account = await connect(gateway, page, 'behind a proxy', gateway.demo);
  const proxy = { level: 'provider', id: 'openai', proxy: { type: 'http', host: '127.0.0.1', port: 9 } };
  await manage(gateway, page, 'PATCH', '/api/settings/proxy?wait=applied', proxy);
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  expect((await chat(gateway, key, 'openai/gpt-4o')).ok).toBe(false);
  await expect.poll(async () => (await calls('&level=provider')).length).toBeGreaterThan(0);

  await page.getByRole('link', { name: 'Proxy log', exact: true }).click();
  const rows = page.getByRole('main').locator('tbody').getByRole('row');
  await expect(rows).toHaveCount((await calls()).length);
  await expect(rows.filter({ hasText: 'no proxy' }).first()).toContainText('ok');

  const filter = page.getByRole('search', { name: 'Filter' });
  await filter.getByRole('combobox', { name: 'Went through' }).click();
  await page.getByRole('option', { name: 'the provider’s proxy' }).click();
  await filter.getByRole('button', { name: 'Apply' }).click();
  await expect(page).toHaveURL(/level=provider$/);
  await page.reload();
  const proxied = await calls('&level=provider');
  await expect(rows).toHaveCount(proxied.length);
  for (const [at, call] of proxied.entries()) {
    const cells = rows.nth(at).getByRole('cell');
    await expect(cells.nth(1)).toHaveText(call.provider);
    await expect(cells.nth(2)).toHaveText('behind a proxy');
    await expect(cells.nth(3)).toContainText('http://127.0.0.1:9');
    await expect(cells.nth(4)).toContainText('error');
    await expect(cells.nth(5)).toHaveText(`${call.latencyMs.toLocaleString('en')} ms`);
  }
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectFits(page);
  await page.setViewportSize({ width: 1280, height: 800 });

  await filter.getByLabel('Has in it').fill('nobody is called that');
  await page.keyboard.press('Enter');
  await expect(page.getByText('No call fits')).toBeVisible();
  await filter.getByRole('button', { name: 'Clear' }).click();
  await expect(page).not.toHaveURL(/level=/);

  await page.getByRole('button', { name: 'Clear the log' }).click();
  const dialog = page.getByRole('dialog', { name: 'Clear the proxy log?' });
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Keep it' }).click();
  await expect(dialog).toBeHidden();
  expect((await calls()).length).toBeGreaterThan(0);
  await page.getByRole('button', { name: 'Clear the log' }).click();
  await dialog.getByRole('button', { name: 'Clear the log' }).click();
  await expect(page.getByText('No call yet')).toBeVisible();
  await expect(page.getByRole('main').getByRole('button', { name: 'Clear the log' })).toBeDisabled();
  expect(await calls()).toEqual([]);

  await manage(gateway, page, 'DELETE', '/api/settings/proxy?level=provider&id=openai&wait=applied');
  await manage(gateway, page, 'POST', '/api/resilience/reset', { provider: 'openai' });
  await disconnect(gateway, page, account);
  expect(complaints).toEqual([]);
});
