import type { Page } from '@playwright/test';
import { type Gateway, chat, createKey, expect, expectAccessible, expectApplied, expectFits, test } from './gateway';
import { startLimitedProvider } from './limited-provider';
import { connect, disconnect, forgiveNothing, manage } from './manage';

type Connection = { id: string; name: string; priority: number; isActive: boolean; providerSpecificData: { onDisconnect?: string } };
type Figures = { totalRequests: number; successRate: number; p50Ms: number; p95Ms: number };

const section = (page: Page) => page.getByRole('region', { name: 'OpenAI', exact: true });
const handle = (page: Page, name: string) => section(page).getByRole('button', { name: `Move ${name}`, exact: true });

async function stored(gateway: Gateway, page: Page): Promise<Connection[]> {
  const { connections } = await manage<{ connections: Connection[] }>(gateway, page, 'GET', '/api/providers?provider=openai');
  return connections;
}

async function names(page: Page): Promise<string[]> {
  const labels = await section(page).getByRole('button', { name: /^Move / }).evaluateAll((all) => all.map((button) => button.getAttribute('aria-label')));
  return labels.map((label) => `${label}`.replace('Move ', ''));
}

test('accounts are put into their order with the mouse and with the keyboard, and are enabled and disabled together', async ({
  complaints,
  gateway,
  signedIn: page,
}) => {
  const ids = [];
  for (const name of ['first', 'second', 'third']) ids.push(await connect(gateway, page, name, gateway.demo));
  await page.goto('/dashboard/providers');
  await expect.poll(() => names(page)).toEqual(['first', 'second', 'third']);

  const [from, to] = [await handle(page, 'first').boundingBox(), await handle(page, 'third').boundingBox()];
  if (!from || !to) throw new Error('the handles are not on the screen');
  await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 12 });
  await page.mouse.up();
  await expectApplied(page, 'first is now tried at place 3');
  expect((await stored(gateway, page)).map(({ name }) => name)).toEqual(['second', 'third', 'first']);
  expect(await names(page)).toEqual(['second', 'third', 'first']);

  await handle(page, 'first').focus();
  await page.keyboard.press('Space');
  await expect(page.getByRole('status').filter({ hasText: 'Picked up first, at place 3 of 3.' })).toBeAttached();
  await page.keyboard.press('ArrowUp');
  await expect(page.getByRole('status').filter({ hasText: 'first is over place 2 of 3.' })).toBeAttached();
  await page.keyboard.press('Space');
  await expectApplied(page, 'first is now tried at place 2');
  expect((await stored(gateway, page)).map(({ name }) => name)).toEqual(['second', 'first', 'third']);

  await section(page).getByRole('button', { name: 'Disable all of OpenAI' }).click();
  const dialog = page.getByRole('dialog', { name: 'Disable all of OpenAI?' });
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Disable all' }).click();
  await expectApplied(page, 'All of OpenAI disabled');
  expect((await stored(gateway, page)).map(({ isActive }) => isActive)).toEqual([false, false, false]);
  await expect(section(page).getByRole('button', { name: 'Disable all of OpenAI' })).toBeDisabled();
  await section(page).getByRole('button', { name: 'Enable all of OpenAI' }).click();
  await expectApplied(page, 'All of OpenAI enabled');
  expect((await stored(gateway, page)).map(({ isActive }) => isActive)).toEqual([true, true, true]);

  await page.setViewportSize({ width: 390, height: 844 });
  await expectFits(page);
  for (const id of ids) await disconnect(gateway, page, id);
  expect(complaints).toEqual([]);
});

test('all connections are tested at once, and those that do not work come first and say why', async ({ complaints, gateway, signedIn: page }) => {
  const good = await connect(gateway, page, 'a good one', gateway.demo);
  const bad = await connect(gateway, page, 'into the void', 'http://127.0.0.1:9/v1');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto('/dashboard/providers');
  await section(page).getByRole('button', { name: 'Test all of OpenAI' }).click();
  const dialog = page.getByRole('dialog', { name: 'Test connections' });
  await expect(dialog.getByRole('combobox', { name: 'Which' })).toHaveValue('OpenAI');
  await dialog.getByRole('button', { name: 'Test' }).click();
  await expect(dialog.getByRole('status')).toHaveText('1 of 2 work.');
  const rows = dialog.getByRole('table', { name: 'Results' }).locator('tbody').getByRole('row');
  await expect(rows.first()).toContainText('into the void');
  await expect(rows.first()).toContainText('network_error');
  await expect(rows.nth(1)).toContainText('works');
  await expectAccessible(page);
  await expectFits(page);

  await dialog.getByRole('combobox', { name: 'Which' }).click();
  await page.getByRole('option', { name: 'accounts that are signed in to' }).click();
  await expect(dialog.getByRole('status')).toHaveCount(0);
  await dialog.getByRole('button', { name: 'Test' }).click();
  await expect(dialog.getByRole('status')).toHaveText('None of them is enabled: nothing was tested.');
  await page.keyboard.press('Escape');
  // what was found out is on the page behind it
  await expect(section(page).getByRole('row').filter({ hasText: 'into the void' })).toContainText('error');
  for (const id of [good, bad]) await disconnect(gateway, page, id);
  expect(complaints).toEqual([]);
});

test('a connection says what becomes of a call whose client leaves', async ({ complaints, gateway, signedIn: page }) => {
  const id = await connect(gateway, page, 'paid by the token', gateway.demo);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto('/dashboard/providers');
  const open = async () => {
    await section(page).getByRole('button', { name: 'Edit paid by the token' }).click();
    return page.getByRole('dialog', { name: 'Edit paid by the token' });
  };
  let dialog = await open();
  await expect(dialog.getByRole('combobox', { name: 'When a client leaves' })).toHaveValue('End its call');
  await dialog.getByRole('combobox', { name: 'When a client leaves' }).click();
  await page.getByRole('option', { name: 'Read the answer to its end' }).click();
  await expectAccessible(page);
  await expectFits(page);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'paid by the token saved');
  expect((await stored(gateway, page)).map(({ providerSpecificData }) => providerSpecificData.onDisconnect)).toEqual(['drain']);
  dialog = await open();
  await expect(dialog.getByRole('combobox', { name: 'When a client leaves' })).toHaveValue('Read the answer to its end');
  await page.keyboard.press('Escape');
  await disconnect(gateway, page, id);
  expect(complaints).toEqual([]);
});

test('an account shows what is left of it, a provider how it did, and both when they are left alone', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'quota');
  const provider = await startLimitedProvider(500);
  const id = await connect(gateway, page, 'limited', provider.address);
  // only what is paced is asked what it has left
  await manage(gateway, page, 'PATCH', `/api/providers/${id}?wait=applied`, { rateLimitProtection: true });
  await page.goto('/dashboard/providers');
  const quota = section(page).getByRole('group', { name: 'Quota of limited' });
  await section(page).getByRole('button', { name: 'Quota of limited' }).click();
  await expect(quota).toContainText('has not said lately what is left of this account');

  expect((await chat(gateway, key, 'openai/house-large')).status).toBe(200);
  type View = { quotas?: Record<string, { used: number; total: number; remaining: number; resetAt: string }> };
  const asked = () => manage<View>(gateway, page, 'GET', `/api/usage/${id}`);
  await expect.poll(async () => (await asked()).quotas?.requests?.total).toBe(provider.limit);
  const told = (await asked()).quotas?.requests;
  await page.reload();
  await section(page).getByRole('button', { name: 'Quota of limited' }).click();
  await expect(quota).toContainText(`Requests: ${told?.remaining} of ${told?.total} left`);
  await expect(quota.getByRole('progressbar')).toHaveAttribute('aria-valuenow', `${(100 * (told?.used ?? 0)) / (told?.total ?? 1)}`);
  await expect(quota).toContainText('anew at');
  expect(told?.remaining).toBe(provider.left());

  const figures = async () => (await manage<{ metrics: Record<string, Figures> }>(gateway, page, 'GET', '/api/provider-metrics')).metrics.openai;
  await expect.poll(async () => (await figures())?.totalRequests ?? 0).toBeGreaterThan(0);
  await page.reload();
  const known = await figures();
  await expect(section(page)).toContainText(`Requests in 30 days: ${known?.totalRequests}, ${known?.successRate}%`);
  await expect(section(page)).toContainText(`within ${known?.p50Ms.toLocaleString('en')} ms, 95 of 100 within ${known?.p95Ms.toLocaleString('en')} ms`);
  await expect(section(page)).toContainText('in use');
  await expectAccessible(page);

  const forgive = await forgiveNothing(gateway, page);
  await provider.stop();
  expect((await chat(gateway, key, 'openai/house-large')).ok).toBe(false);
  await expect(section(page)).toContainText('left alone');
  await expect(section(page).getByRole('row').filter({ hasText: 'limited' })).toContainText('rests until');
  await expectAccessible(page);
  await manage(gateway, page, 'POST', '/api/resilience/reset', { provider: 'openai' });
  await forgive();
  await disconnect(gateway, page, id);
  expect(complaints).toEqual([]);
});

test('models are written down and imported from what the provider lists, and can be called', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'for the house');
  const provider = await startLimitedProvider(500);
  const id = await connect(gateway, page, 'house', provider.address);
  type Models = { models: { id: string; type: string; source: string; contextWindow: number | null }[] };
  const listed = async () => (await manage<Models>(gateway, page, 'GET', '/api/provider-models?provider=openai')).models;
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto('/dashboard/providers');
  await section(page).getByRole('button', { name: 'Models of OpenAI' }).click();
  const dialog = page.getByRole('dialog', { name: 'Models of OpenAI' });
  await expect(dialog.getByText('No model of your own yet')).toBeVisible();
  const form = dialog.getByRole('form', { name: 'Add a model' });
  await form.getByRole('button', { name: 'Add' }).click();
  await expect(form.getByText('The id that the provider knows it by')).toBeVisible();
  await form.getByLabel('Id', { exact: true }).fill('house-embedding');
  await form.getByRole('combobox', { name: 'For' }).click();
  await page.getByRole('option', { name: 'embedding' }).click();
  await form.getByLabel('Context, tokens').fill('8000');
  await form.getByRole('button', { name: 'Add' }).click();
  await expectApplied(page, 'house-embedding saved');
  expect(await listed()).toMatchObject([{ id: 'house-embedding', type: 'embedding', source: 'manual', contextWindow: 8000 }]);

  await dialog.getByRole('button', { name: 'Ask what it has' }).click();
  await expect(dialog.getByText('It lists 3 models; 2 of them are not here yet.')).toBeVisible();
  await dialog.getByLabel('Search').fill('small');
  await expect(dialog.getByRole('checkbox', { name: 'house-large' })).toHaveCount(0);
  await dialog.getByRole('checkbox', { name: 'house-small' }).check();
  await dialog.getByLabel('Search').fill('');
  await expect(dialog.getByRole('button', { name: 'Import 1' })).toBeEnabled();
  await dialog.getByRole('checkbox', { name: 'All that are shown' }).check();
  await expectAccessible(page);
  await expectFits(page);
  await dialog.getByRole('button', { name: 'Import 2' }).click();
  await expectApplied(page, 'Models imported: 2');
  await expect(dialog.getByText('It lists 3 models, and all of them are here.')).toBeVisible();
  expect((await listed()).filter(({ source }) => source === 'imported').map((model) => model.id).sort()).toEqual(['house-large', 'house-small']);
  await expect(dialog.getByRole('table', { name: 'Models that were added' }).locator('tbody').getByRole('row')).toHaveCount(3);
  expect((await chat(gateway, key, 'openai/house-small')).status).toBe(200);

  for (const model of ['house-embedding', 'house-large', 'house-small']) {
    await dialog.getByRole('button', { name: `Delete ${model}` }).click();
    await page.getByRole('dialog', { name: `Delete ${model}?` }).getByRole('button', { name: 'Delete' }).click();
    await expectApplied(page, `${model} deleted`);
  }
  expect(await listed()).toEqual([]);
  await disconnect(gateway, page, id);
  await provider.stop();
  expect(complaints).toEqual([]);
});
