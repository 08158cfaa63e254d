import type { Locator, Page } from '@playwright/test';
import { chat, createKey, expect, expectAccessible, expectApplied, test } from './gateway';

const group = (page: Page, name: string) => page.getByRole('region', { name, exact: true });
const stored = async (page: Page, path: string) => (await page.request.get(`/api/settings${path}`)).json();

/** Saves a group, and waits until its note says that it has got everywhere; the note is put away for the next one. */
async function save(page: Page, title: string) {
  await group(page, title).getByRole('button', { name: 'Save' }).first().click();
  await expectApplied(page, `${title} saved`);
  await page.getByRole('alert').filter({ hasText: `${title} saved` }).getByRole('button', { name: 'Dismiss' }).click();
}

async function choose(page: Page, select: Locator, name: string) {
  await select.click();
  await page.getByRole('option', { name }).click();
}

test('each group is read, changed and changed back, and what is wrong is said at its field', async ({ complaints, signedIn: page }) => {
  await page.goto('/dashboard/');
  await page.getByRole('link', { name: 'Settings', exact: true }).click();

  const general = group(page, 'General');
  const zone = general.getByLabel('Time zone of budgets');
  await expect(zone).toHaveValue((await stored(page, '')).budgetTimezone);
  await expect(general.getByRole('button', { name: 'Save' })).toBeDisabled();
  await zone.fill('Nowhere/City');
  await general.getByRole('button', { name: 'Save' }).click();
  await expect(zone).toHaveAccessibleDescription(/must be an IANA time zone/);
  await zone.fill('Europe/Berlin');
  await save(page, 'General');
  expect((await stored(page, '')).budgetTimezone).toBe('Europe/Berlin');
  await zone.fill('UTC');
  await save(page, 'General');

  const routing = group(page, 'Routing');
  await choose(page, routing.getByRole('combobox', { name: 'Account to use' }), 'one after the other');
  await routing.getByLabel('Requests in a row').fill('7');
  await routing.getByLabel('At most, % of requests').fill('77');
  await routing.getByRole('button', { name: 'Save' }).click();
  await expect(routing.getByLabel('At most, % of requests')).toHaveAccessibleDescription(/must be 0 to 50/);
  await routing.getByLabel('At most, % of requests').fill('12.5');
  await routing.getByRole('button', { name: 'Add to name patterns' }).click();
  await routing.getByLabel('Pattern 1').fill('wild-*');
  await routing.getByLabel('Leads to 1').fill('demo/demo');
  await save(page, 'Routing');
  expect(await stored(page, '')).toMatchObject({
    fallbackStrategy: 'round-robin',
    stickyRoundRobinLimit: 7,
    hedging: { maxSharePercent: 12.5 },
    wildcardAliases: [{ pattern: 'wild-*', target: 'demo/demo' }],
  });
  await routing.getByRole('button', { name: 'Remove name patterns 1' }).click();
  await choose(page, routing.getByRole('combobox', { name: 'Account to use' }), 'the first one that works');
  await save(page, 'Routing');

  const cache = group(page, 'Answer cache');
  await cache.getByLabel('An answer is kept for, ms').fill('5');
  await cache.getByRole('button', { name: 'Save' }).click();
  await expect(cache.getByLabel('An answer is kept for, ms')).toHaveAccessibleDescription(/must be 1000 to/);
  await cache.getByRole('button', { name: 'Undo' }).click();
  await expect(cache.getByLabel('An answer is kept for, ms')).toHaveValue(`${(await stored(page, '')).semanticCacheTtlMs}`);

  const thinking = group(page, 'Thinking');
  await choose(page, thinking.getByRole('combobox', { name: 'Thinking' }), 'this many tokens');
  await thinking.getByLabel('Tokens').fill('2048');
  await save(page, 'Thinking');
  expect(await stored(page, '/thinking-budget')).toMatchObject({ mode: 'custom', customBudget: 2048 });
  await choose(page, thinking.getByRole('combobox', { name: 'Thinking' }), 'as clients say');
  await save(page, 'Thinking');

  const combos = group(page, 'Combo defaults');
  await combos.getByLabel('Retries').fill('99');
  await combos.getByRole('button', { name: 'Save' }).click();
  await expect(combos.getByLabel('Retries')).toHaveAccessibleDescription(/must be 0 to 10/);
  await combos.getByLabel('Retries').fill('2');
  await save(page, 'Combo defaults');
  expect((await stored(page, '/combo-defaults')).comboDefaults.maxRetries).toBe(2);
  await combos.getByLabel('Retries').fill('');
  await save(page, 'Combo defaults');
  await expect(combos.getByLabel('Retries')).toHaveValue('1');
  await choose(page, combos.getByRole('combobox', { name: 'For', exact: true }), 'Anthropic');
  await combos.getByLabel('Time for a member, ms').fill('90000');
  await save(page, 'Combo defaults');
  expect((await stored(page, '/combo-defaults')).providerOverrides.anthropic.timeoutMs).toBe(90_000);
  await combos.getByLabel('Time for a member, ms').fill('');
  await save(page, 'Combo defaults');
  expect((await stored(page, '/combo-defaults')).providerOverrides).toEqual({});

  await expectAccessible(page);
  // refusals that were asked for are what the browser complains about
  expect(complaints.filter((text) => !text.includes('400'))).toEqual([]);
});

test('the system prompt is put in front of requests while it is on', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'prompted');
  const tokensIn = async () => (await (await chat(gateway, key, 'demo/demo')).json()).usage.prompt_tokens as number;
  const before = await tokensIn();
  await page.goto('/dashboard/settings');
  const prompt = group(page, 'System prompt');
  await prompt.getByLabel('Prompt', { exact: true }).fill('You are kind to everybody');
  await prompt.getByRole('switch', { name: 'Add it to requests' }).press('Space');
  await save(page, 'System prompt');
  expect(await tokensIn()).toBeGreaterThan(before);
  await prompt.getByRole('switch', { name: 'Add it to requests' }).press('Space');
  await save(page, 'System prompt');
  expect(await tokensIn()).toBe(before);
});

test('a proxy is set, tested and deleted', async ({ signedIn: page }) => {
  await page.goto('/dashboard/settings');
  const proxies = group(page, 'Proxies');
  await choose(page, proxies.getByRole('combobox', { name: 'Set the proxy for' }), 'provider Anthropic');
  await proxies.getByLabel('Host').fill('127.0.0.1');
  await proxies.getByLabel('Port').fill('9');
  await choose(page, proxies.getByRole('combobox', { name: 'Type' }), 'socks5');
  await proxies.getByRole('button', { name: 'Save' }).click();
  await expect(proxies.getByRole('combobox', { name: 'Type' })).toHaveAccessibleDescription(/socks5 is switched off/);
  await choose(page, proxies.getByRole('combobox', { name: 'Type' }), 'https');
  await proxies.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'Proxy saved');
  expect((await stored(page, '/proxy')).providers.anthropic).toMatchObject({ type: 'https', host: '127.0.0.1', port: 9 });

  await proxies.getByRole('button', { name: 'Test the proxy for provider Anthropic' }).click();
  await expect(proxies.getByText('It leads nowhere')).toBeVisible();
  await proxies.getByRole('button', { name: 'Delete the proxy for provider Anthropic' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'Proxy deleted');
  expect((await stored(page, '/proxy')).providers).toEqual({});
});

test('addresses are listed and banned, and nobody shuts themselves out unasked', async ({ signedIn: page }) => {
  await page.goto('/dashboard/settings');
  const filter = group(page, 'IP filter');
  const blocked = filter.getByRole('combobox', { name: 'Block list' });
  await blocked.fill('not an address');
  await blocked.press('Enter');
  await filter.getByRole('button', { name: 'Save' }).click();
  await expect(blocked).toHaveAccessibleDescription(/must be an address/);
  await filter.getByRole('button', { name: 'Undo' }).click();
  await blocked.fill('203.0.113.0/24');
  await blocked.press('Enter');
  await save(page, 'IP filter');
  expect((await stored(page, '/ip-filter')).blacklist).toEqual(['203.0.113.0/24']);

  await choose(page, filter.getByRole('combobox', { name: 'Mode' }), 'let in only');
  await filter.getByRole('switch', { name: 'Filter by address' }).press('Space');
  await filter.getByRole('button', { name: 'Save' }).click();
  const dialog = page.getByRole('dialog', { name: 'Shut yourself out?' });
  await expect(dialog).toContainText('127.0.0.1');
  await dialog.getByRole('button', { name: 'Leave it' }).click();
  expect((await stored(page, '/ip-filter')).enabled).toBe(false);
  await filter.getByRole('button', { name: 'Undo' }).click();

  await filter.getByLabel('Address', { exact: true }).fill('nobody');
  await filter.getByRole('button', { name: 'Ban', exact: true }).click();
  await expect(filter.getByLabel('Address', { exact: true })).toHaveAccessibleDescription(/must be an IPv4 or IPv6 address/);
  await filter.getByLabel('Address', { exact: true }).fill('198.51.100.7');
  await filter.getByLabel('Reason').fill('too many requests');
  await filter.getByRole('button', { name: 'Ban', exact: true }).click();
  const ban = filter.getByRole('row').filter({ hasText: '198.51.100.7' });
  await expect(ban).toContainText('too many requests');
  await ban.getByRole('button', { name: 'Let 198.51.100.7 in' }).click();
  await expect(ban).toHaveCount(0);
  expect((await stored(page, '/ip-filter')).tempBans).toEqual([]);
});

test('a password is not changed without the one before it', async ({ signedIn: page }) => {
  await page.goto('/dashboard/settings');
  const login = group(page, 'Login');
  await login.getByRole('textbox', { name: 'New password' }).fill('short');
  await login.getByRole('button', { name: 'Save' }).click();
  await expect(login.getByRole('textbox', { name: 'New password' })).toHaveAccessibleDescription(/at least 8 characters/);
  await login.getByRole('textbox', { name: 'New password' }).fill('long enough a password');
  await login.getByRole('button', { name: 'Save' }).click();
  await expect(login.getByRole('textbox', { name: 'Current password' })).toHaveAccessibleDescription(/is required/);
});
