import { PASSWORD, chat, createKey, expect, expectAccessible, expectApplied, expectFits, startGateway, test } from './gateway';
import { manage } from './manage';

test('a key works at once, its requests are listed, and a disabled key is refused', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'browser test');
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);

  await page.getByRole('link', { name: 'Requests', exact: true }).click();
  const request = page.getByRole('row').filter({ hasText: 'browser test' });
  await expect(request).toContainText('demo/demo');
  await expect(request).toContainText('200');

  await page.getByRole('link', { name: 'API keys', exact: true }).click();
  await page.getByRole('switch', { name: 'browser test enabled' }).press('Space');
  await expectApplied(page, 'Key disabled');
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(401);

  await page.getByRole('button', { name: 'Delete browser test' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'Key deleted');
  await expect(page.getByRole('row').filter({ hasText: 'browser test' })).toHaveCount(0);
});

type Key = {
  id: string;
  name: string;
  rpm: number | null;
  tpm: number | null;
  expiresAt: string | null;
  allowedModels: string[];
  rateLimits: object[] | null;
  scopes: string[];
  noLog: boolean;
};

test('a key is limited, given an end, and both are taken back', async ({ complaints, gateway, signedIn: page }) => {
  const secret = await createKey(page, 'to be limited');
  const stored = async () => {
    const { keys } = await manage<{ keys: Key[] }>(gateway, page, 'GET', '/api/keys');
    const key = keys.find(({ name }) => name === 'to be limited');
    if (!key) throw new Error('the key is gone');
    return key;
  };
  const row = page.getByRole('row').filter({ hasText: 'to be limited' });
  await expect(row).toContainText('no limit');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole('button', { name: 'Edit to be limited' }).click();
  const dialog = page.getByRole('dialog', { name: 'Edit to be limited' });
  await dialog.getByLabel('Requests per minute').fill('1');
  await dialog.getByLabel('Tokens per minute').fill('99999999999');
  await dialog.getByLabel('Ends').fill('2020-01-01T00:00');
  await dialog.getByRole('button', { name: 'Save' }).click();
  // what the API refuses is said at the field
  await expect(dialog.getByLabel('Tokens per minute')).toHaveAccessibleDescription(/must be/);
  await dialog.getByLabel('Tokens per minute').fill('5000');
  await dialog.getByLabel('Ends').fill('2040-01-02T03:04');
  await dialog.getByRole('button', { name: 'Add to further limits' }).click();
  await dialog.getByRole('combobox', { name: 'Allowed models' }).fill('demo/*');
  await page.keyboard.press('Enter');
  await expectAccessible(page);
  await expectFits(page);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'to be limited saved');
  await page.setViewportSize({ width: 1280, height: 800 });
  const limited = await stored();
  expect(limited).toMatchObject({ rpm: 1, tpm: 5_000, allowedModels: ['demo/*'], rateLimits: [{ limit: 1_000, window: 3_600 }], scopes: ['inference'] });
  const there = await page.evaluate(() => new Date('2040-01-02T03:04').toISOString().slice(0, 16));
  expect(limited.expiresAt?.slice(0, 16)).toBe(there);
  for (const text of ['1 requests per minute', '5,000 tokens per minute', '1,000 requests in 3,600 s', 'demo/*']) await expect(row).toContainText(text);
  expect((await chat(gateway, secret, 'demo/demo')).status).toBe(200);
  expect((await chat(gateway, secret, 'demo/demo')).status).toBe(429);

  await page.getByRole('button', { name: 'Edit to be limited' }).click();
  for (const field of ['Requests per minute', 'Tokens per minute', 'Ends']) await dialog.getByLabel(field).fill('');
  await dialog.getByRole('button', { name: 'Remove further limits 1' }).click();
  await dialog.getByRole('switch', { name: 'Leave its requests out of the log' }).press('Space');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toBeHidden();
  expect(await stored()).toMatchObject({ rpm: null, tpm: null, expiresAt: null, rateLimits: null, noLog: true });
  await expect(row).toContainText('not logged');
  expect((await chat(gateway, secret, 'demo/demo')).status).toBe(200);
  await manage(gateway, page, 'DELETE', `/api/keys/${limited.id}`);
  // refusals that were asked for are what the browser complains about
  expect(complaints.filter((text) => !/400|429/.test(text))).toEqual([]);
});

test('a key is replaced: the old one is refused, and the new one is shown once', async ({ complaints, gateway, signedIn: page }) => {
  const old = await createKey(page, 'to be replaced');
  await page.getByRole('button', { name: 'Replace to be replaced' }).click();
  await page.getByRole('dialog', { name: 'Replace to be replaced?' }).getByRole('button', { name: 'Replace' }).click();
  await expectApplied(page, 'Key replaced');
  const dialog = page.getByRole('dialog', { name: 'The new key of to be replaced' });
  const fresh = (await dialog.getByLabel('API key', { exact: true }).textContent()) ?? '';
  // what to paste where comes with it
  await expect(dialog.getByLabel('curl command', { exact: true })).toContainText(fresh);
  await dialog.getByRole('tab', { name: 'Claude Code' }).click();
  await expect(dialog.getByLabel('Claude Code snippet', { exact: true })).toContainText(fresh);
  await expect(dialog.getByLabel('Claude Code snippet', { exact: true })).toContainText(gateway.address);
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Done' }).click();
  await expect(dialog).toBeHidden();
  expect(fresh).not.toBe(old);
  expect((await chat(gateway, old, 'demo/demo')).status).toBe(401);
  expect((await chat(gateway, fresh, 'demo/demo')).status).toBe(200);

  // only where copies are kept
  await page.getByRole('button', { name: 'Show to be replaced' }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'API_KEY_REVEAL=true' })).toBeVisible();
  expect(complaints.filter((text) => !/403/.test(text))).toEqual([]);
});

test('a key is shown again where the control plane keeps copies', async ({ browser }) => {
  const keeping = await startGateway({ env: { INITIAL_PASSWORD: PASSWORD, API_KEY_REVEAL: 'true' } });
  try {
    const page = await (await browser.newContext({ baseURL: keeping.address })).newPage();
    await manage(keeping, page, 'POST', '/api/auth/login', { password: PASSWORD });
    const key = await createKey(page, 'kept');
    await page.getByRole('button', { name: 'Show kept' }).click();
    const dialog = page.getByRole('dialog', { name: 'The key of kept' });
    await expect(dialog.getByLabel('API key', { exact: true })).toHaveText(key);
    await expect(dialog).toContainText('in the audit log');
    await page.context().close();
  } finally {
    await keeping.stop();
  }
});

test('of many keys some are shown, the newest first, and the others are found', async ({ browser }) => {
  const crowded = await startGateway({ env: { INITIAL_PASSWORD: PASSWORD, OMNIROUTE_CONTROLPLANE__API__RATE_LIMIT_PER_MINUTE: '0' } });
  try {
    const page = await (await browser.newContext({ baseURL: crowded.address })).newPage();
    await manage(crowded, page, 'POST', '/api/auth/login', { password: PASSWORD });
    const { keys: before } = await manage<{ keys: Key[] }>(crowded, page, 'GET', '/api/keys');
    const all = 60;
    for (let number = before.length + 1; number <= all; number += 1) await manage(crowded, page, 'POST', '/api/keys', { name: `service no.${number}` });

    for (const [path, region] of [
      ['/keys', page.getByRole('main')],
      ['/costs', page.getByRole('region', { name: 'Budgets' })],
    ] as const) {
      await page.goto(`/dashboard${path}`);
      const rows = region.getByRole('row').filter({ hasText: /service no\.\d+/ });
      await expect(rows).toHaveCount(50);
      await expect(rows.first()).toContainText('service no.60');
      await expect(region.getByRole('status').filter({ hasText: `50 of ${all}` })).toBeVisible();
      await region.getByRole('button', { name: 'Show more' }).click();
      await expect(rows).toHaveCount(59);
      await region.getByRole('searchbox', { name: 'Find a key' }).fill('NO.5 service');
      // 5 and 50 to 59
      await expect(rows).toHaveCount(11);
      await expect(region.getByRole('status').filter({ hasText: '11 of 11' })).toBeVisible();
      await region.getByRole('searchbox', { name: 'Find a key' }).fill('nothing of the kind');
      await expect(region).toContainText('None has these words in its name.');
    }
    await expectAccessible(page);
    await page.context().close();
  } finally {
    await crowded.stop();
  }
});
