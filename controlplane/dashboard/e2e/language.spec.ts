import type { Page } from '@playwright/test';
import id from '../src/i18n/id';
import { type Gateway, chat, expect, expectAccessible, expectFits, test } from './gateway';
import { manage } from './manage';

test.use({ locale: 'id-ID' });

const say = (message: string, values: Record<string, string> = {}) =>
  Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), id[message] ?? message);

/** Names that are stored as they are, in whatever language they were given. */
const DATA = ['Demo provider'];

/** What other tests gave a name. The palette shows all of them, and one may read like a text of ours ("fast"). */
async function namesGiven(gateway: Gateway, page: Page): Promise<string[]> {
  const get = <T>(path: string) => manage<T>(gateway, page, 'GET', path);
  const { nodes } = await get<{ nodes: { name: string }[] }>('/api/provider-nodes');
  const { connections } = await get<{ connections: { name: string | null; email: string | null }[] }>('/api/providers');
  const { combos } = await get<{ combos: { name: string }[] }>('/api/combos');
  const { keys } = await get<{ keys: { name: string }[] }>('/api/keys');
  const { aliases } = await get<{ aliases: Record<string, string> }>('/api/models/alias');
  const named = [...nodes, ...combos, ...keys].map(({ name }) => name);
  return [...named, ...connections.flatMap(({ name, email }) => [name ?? '', email ?? '']), ...Object.keys(aliases)];
}
/** A tool of this name, and cases of built-in suites. */
const NAMES = ['Continue', 'Capital of France', 'Symbol of gold'];

/** What would be read if something was left in English: texts as a whole, around what is filled into them. */
const english = Object.entries(id)
  .map(([message, own]) => [message.replace(/ ‹.*›$/, ''), own] as const)
  .filter(([message, own]) => message !== own && !DATA.includes(message))
  .map(([message]) => {
    const parts = message.split(/\{\w+\}/);
    // a sentence that happens to have an "of" in it is not a text around two values
    const filled = parts.join('').length < 12 ? '\\S+' : '.+';
    return `^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join(filled)}$`;
  });

/** Every text that is seen or read aloud and that is English. What stands in code is data. */
async function leftInEnglish(page: Page): Promise<string[]> {
  const texts = await page.evaluate(() => {
    const found = new Set<string>();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node instanceof Element) {
        for (const name of ['aria-label', 'placeholder', 'title', 'alt', 'aria-description']) found.add(node.getAttribute(name) ?? '');
      } else if (!node.parentElement?.closest('code, pre, script, style, textarea')) found.add(node.textContent ?? '');
    }
    return [...found].map((text) => text.trim()).filter((text) => /[A-Za-z]{2,}/.test(text));
  });
  const patterns = english.map((source) => new RegExp(source, 's'));
  return texts.filter((text) => patterns.some((pattern) => pattern.test(text)));
}

async function expectIndonesian(page: Page, what: string, given: string[] = []) {
  await expect(page.getByLabel(say('Loading'), { exact: true })).toHaveCount(0);
  const expected = [...given, ...(/cli-tools|evals/.test(what) ? NAMES : [])];
  expect
    .soft(
      (await leftInEnglish(page)).filter((text) => !expected.includes(text)),
      what,
    )
    .toEqual([]);
}

const dialogs: [path: string, button: string][] = [
  ['/providers', say('Add connection')],
  ['/providers', say('Sign in')],
  ['/providers', say('Add endpoint')],
  ['/providers', say('Test all')],
  ['/providers', say('Models of {name}', { name: 'Demo provider' })],
  ['/combos', say('New combo')],
  ['/policies', say('New policy')],
  ['/keys', say('New key')],
  ['/keys', say('Edit {name}', { name: 'kunci uji' })],
  ['/aliases', say('New chain')],
  ['/backups', say('Enable')],
  ['/costs', say('Set a price')],
  ['/team', say('New account')],
  ['/team', say('New token')],
  ['/evals', say('New suite')],
  ['/cli-tools', say('Set up {name}', { name: 'Claude Code' })],
  ['/nodes', say('Restart')],
  ['/nodes', say('Shut down')],
  ['/backups', say('Export')],
  ['/backups', say('Import')],
  ['/cache', say('Clear everything')],
];

test('every page speaks Indonesian to a browser that prefers it, and leaves nothing in English', async ({
  complaints,
  gateway,
  page,
  session,
  signedIn,
}) => {
  test.setTimeout(300_000);
  // whoever is not signed in yet is spoken to as well
  await page.context().clearCookies();
  await page.goto('/dashboard/login');
  await expect(page.getByRole('heading', { name: say('Sign in to OmniRoute') })).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('lang', 'id');
  await expectIndonesian(page, 'login');
  await page.context().addCookies(session);

  const { key } = await manage<{ key: string }>(gateway, signedIn, 'POST', '/api/keys?wait=applied', { name: 'kunci uji' });
  const combo = await manage<{ id: string }>(gateway, page, 'POST', '/api/combos?wait=applied', {
    name: 'campuran',
    models: ['demo/demo'],
    strategy: 'round-robin',
  });
  expect((await chat(gateway, key, 'campuran')).status).toBe(200);
  const requests = () => manage<{ id: string; comboName: string | null }[]>(gateway, page, 'GET', '/api/usage/request-logs?format=json&limit=50');
  await expect.poll(async () => (await requests()).some(({ comboName }) => comboName === 'campuran')).toBe(true);
  const request = (await requests()).find(({ comboName }) => comboName === 'campuran');
  // a name is what somebody gave, in whatever language
  const names = await namesGiven(gateway, page);

  await page.goto('/dashboard/');
  const links = page.getByRole('navigation', { name: say('Sections') }).getByRole('link');
  await expect(links.first()).toBeVisible();
  const paths = await Promise.all((await links.all()).map((link) => link.getAttribute('href')));
  expect(paths.length).toBeGreaterThan(20);
  for (const path of [...paths, '/dashboard/setup', `/dashboard/requests/${request?.id}`]) {
    await page.goto(path ?? '');
    await expect(page.getByRole('main').getByRole('heading', { level: 1 })).toBeVisible();
    await expectIndonesian(page, path ?? '', names);
  }
  for (const [path, button] of dialogs) {
    await page.goto(`/dashboard${path}`);
    await page.getByRole('main').getByRole('button', { name: button, exact: true }).first().click();
    await expect(page.getByRole('dialog')).toBeVisible();
    await expectIndonesian(page, `${button} on ${path}`, names);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toBeHidden();
  }
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('dialog', { name: say('Go to') })).toBeVisible();
  await expectIndonesian(page, 'palette', names);
  await manage(gateway, page, 'DELETE', `/api/combos/${combo.id}`);
  expect(complaints).toEqual([]);
});

test('the language is chosen for this browser, and taken back', async ({ complaints, signedIn: page }) => {
  await page.goto('/dashboard/settings');
  const appearance = (title: string) => page.getByRole('region', { name: title, exact: true });
  await expect(appearance('Tampilan').getByRole('combobox', { name: 'Bahasa' })).toHaveValue(say('as the browser prefers'));
  await expectFits(page);
  await expectAccessible(page);
  await appearance('Tampilan').getByRole('combobox', { name: 'Bahasa' }).click();
  await page.getByRole('option', { name: 'English' }).click();
  await expect(page.getByRole('heading', { name: 'Settings', level: 1 })).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('lang', 'en');
  await page.goto('/dashboard/costs');
  await expect(page.getByRole('heading', { name: 'Costs', level: 1 })).toBeVisible();

  await page.goto('/dashboard/settings');
  await appearance('Appearance').getByRole('combobox', { name: 'Language' }).click();
  await page.getByRole('option', { name: 'as the browser prefers' }).click();
  await expect(page.getByRole('heading', { name: say('Settings'), level: 1 })).toBeVisible();
  await appearance('Tampilan').getByText('gelap', { exact: true }).click();
  await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', 'dark');
  await appearance('Tampilan').getByText('menurut sistem', { exact: true }).click();
  expect(complaints).toEqual([]);
});

test('numbers, sums and moments are written as the language writes them, and say what the API returns', async ({ gateway, signedIn: page }) => {
  const { key } = await manage<{ key: string }>(gateway, page, 'POST', '/api/keys?wait=applied', { name: 'angka' });
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  type Summary = { summary: { totalRequests: number; totalTokens: number; totalCost: number } };
  const usage = () => manage<Summary>(gateway, page, 'GET', '/api/usage/analytics?range=30d');
  await expect.poll(async () => (await usage()).summary.totalRequests).toBeGreaterThan(0);
  await page.goto('/dashboard/usage');
  const { summary } = await usage();
  const figure = (name: string) => page.getByRole('group', { name, exact: true });
  await expect(figure(say('Tokens'))).toContainText(new Intl.NumberFormat('id-ID').format(summary.totalTokens));
  await expect(figure(say('Cost'))).toContainText(/US\$\s?\d+,\d{2}/);

  await page.goto('/dashboard/backups');
  await manage(gateway, page, 'PUT', '/api/db-backups');
  await page.reload();
  const { backups } = await manage<{ backups: { createdAt: string }[] }>(gateway, page, 'GET', '/api/db-backups');
  const moment = await page.evaluate(
    (timestamp) => new Intl.DateTimeFormat('id-ID', { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(timestamp)),
    backups[0]?.createdAt ?? '',
  );
  await expect(page.getByRole('row').filter({ hasText: moment }).first()).toBeVisible();
});
