import type { Page } from '@playwright/test';
import { createKey, expect, test } from './gateway';
import { manage } from './manage';
import { letIn, signInAs } from './people';

/** A chat is a client's request with a client's key, and no change of the gateway; the other one only has words to open. */
const NOT_PRESSED = ['/dashboard/playground', '/dashboard/api'];
/** Their forms are filters: what they send is a part of the address. */
const FILTER_PAGES = ['/dashboard/requests', '/dashboard/audit', '/dashboard/proxy-log', '/dashboard/usage'];
/** Where nobody can write anything. */
const READING_PAGES = ['/dashboard/', '/dashboard/playground', '/dashboard/requests', '/dashboard/usage', '/dashboard/api', '/dashboard/audit'];

/** Every page of the navigation, as it is written there. */
async function paths(page: Page): Promise<string[]> {
  await page.goto('/dashboard/');
  const links = page.getByRole('navigation', { name: 'Sections' }).getByRole('link');
  await expect(links.first()).toBeVisible();
  return Promise.all((await links.all()).map(async (link) => (await link.getAttribute('href')) ?? ''));
}

test('a viewer sees every page of the navigation, and finds nothing there that writes', async ({ browser, gateway, signedIn: owner }) => {
  test.setTimeout(300_000);
  // something of each kind, so that the pages have what they offer to change
  await createKey(owner, 'seen by viewers');
  const combo = await manage<{ id: string }>(gateway, owner, 'POST', '/api/combos', { name: 'seen', models: ['demo/demo'] });
  await manage(gateway, owner, 'PUT', '/api/models/alias', { alias: 'seen-alias', model: 'demo/demo' });
  await manage(gateway, owner, 'PUT', '/api/db-backups');
  const showOut = await letIn(gateway, owner, 'looker', 'viewer');
  const { page, complaints, leave } = await signInAs(gateway, browser, 'looker');
  const writes: string[] = [];
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (request.method() !== 'GET' && pathname.startsWith('/api/')) writes.push(`${request.method()} ${pathname} on ${page.url()}`);
  });

  const all = await paths(page);
  expect(all.length).toBeGreaterThan(20);
  for (const path of all) {
    await page.goto(path);
    const main = page.getByRole('main');
    await expect(main.getByRole('heading', { level: 1 })).toBeVisible();
    await expect(page.getByLabel('Loading')).toHaveCount(0);
    await expect(main.getByText('This could not be loaded'), path).toHaveCount(0);
    if (!READING_PAGES.includes(path)) await expect(main.getByText(/takes the role/).first(), path).toBeVisible();
    if (!NOT_PRESSED.includes(path)) await expectNothingWrites(page, path);
  }
  expect(writes).toEqual([]);
  expect(complaints).toEqual([]);
  await leave();
  await showOut();
  await manage(gateway, owner, 'DELETE', `/api/combos/${combo.id}`);
  await manage(gateway, owner, 'DELETE', '/api/models/alias?alias=seen-alias');
});

/** Presses everything that can be pressed; what that sends is looked at in the end. What can be filled in cannot be sent. */
async function expectNothingWrites(page: Page, path: string) {
  const main = page.getByRole('main');
  // a form that cannot be sent empty would keep its secret
  if (!FILTER_PAGES.includes(path)) await expect(main.locator('button[type=submit]:enabled'), path).toHaveCount(0);
  const buttons = main.locator('button:enabled, input[type=checkbox]:enabled');
  for (let at = 0; at < (await buttons.count()); at += 1) {
    const button = buttons.nth(at);
    const label = `${path}: ${(await button.getAttribute('aria-label')) ?? (await button.textContent())}`;
    // ends the session, which anybody may do with their own
    if (/Sign out/.test(label)) continue;
    await button.click({ force: true });
    await expect(page.getByRole('dialog'), label).toHaveCount(0);
    if (!page.url().includes(path)) await page.goto(path);
  }
}
