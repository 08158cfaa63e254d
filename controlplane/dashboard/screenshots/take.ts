import type { Page } from '@playwright/test';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, expectFits, test } from '../e2e/gateway';
import { groups } from '../src/navigation';
import { seed } from './seed';

const FOLDER = join(import.meta.dirname, '../../../docs/screenshots');
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
/** Pictures are for reading text, not for admiring it. */
const QUALITY = 72;
/** Of a long page the beginning says enough, but where each part is another one. */
const LONGEST = 1_600;
const LONGER: Record<string, number> = { settings: 6_600, request: 2_800, health: 2_400 };

/** Dialogs stand in the middle of the window. */
const overlaid = ['cli-tools-script', 'palette', 'providers-test', 'providers-edit', 'providers-proxies', 'keys-edit', 'keys-new', 'aliases-chain'];

type Shot = [name: string, path: string, prepare?: (page: Page) => Promise<void>];

test('every page, in both colours, on a desk and on a phone', async ({ browser, gateway, signedIn: page }) => {
  const { requestId } = await seed(gateway, page.request);
  await mkdir(FOLDER, { recursive: true });
  const shots: Shot[] = [
    ...groups.flatMap(({ pages }) => pages.map(({ to }): Shot => [to === '/' ? 'overview' : to.slice(1), to])),
    ['request', `/requests/${requestId}`],
    ['setup', '/setup?step=provider', testDemo],
    ['providers-test', '/providers', testProviders],
    ['providers-edit', '/providers', editConnection],
    ['providers-proxies', '/providers', openProxies],
    ['keys-edit', '/keys', editKey],
    ['aliases-chain', '/aliases', editChain],
    ['cli-tools-script', '/cli-tools', makeScript],
    ['palette', '/', openPalette],
    ['keys-new', '/keys', makeKey],
  ];
  const only = process.env.ONLY?.split(',');
  for (const [name, path, prepare] of shots) {
    if (only && !only.includes(name)) continue;
    await inEverySize(page, async (size) => {
      await page.goto(`/dashboard${path}`);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expect(page.getByLabel('Loading')).toHaveCount(0);
      await prepare?.(page);
      await expectFits(page);
      await take(page, join(FOLDER, `${name}-${size}.webp`), overlaid.includes(name) ? 0 : (LONGER[name] ?? LONGEST));
    });
  }
  if (only && !only.includes('login')) return;
  const guest = await (await browser.newContext({ baseURL: gateway.address })).newPage();
  await inEverySize(guest, async (size) => {
    await guest.goto('/dashboard/login');
    await expect(guest.getByRole('heading', { level: 1 })).toBeVisible();
    await take(guest, join(FOLDER, `login-${size}.webp`), 0);
  });
});

async function inEverySize(page: Page, picture: (size: string) => Promise<void>): Promise<void> {
  for (const [device, size] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize(size);
      await picture(`${device}-${colorScheme}`);
    }
  }
}

/** The picture, of the page down to `longest` or, where that is 0, of the window. Chromium writes WebP; Playwright's own call does not. */
async function take(page: Page, file: string, longest: number): Promise<void> {
  await page.waitForLoadState('networkidle', { timeout: 5_000 }).catch(() => undefined);
  if (longest > 0) {
    const { width, height } = page.viewportSize() ?? SIZES.desktop;
    const full = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.setViewportSize({ width, height: Math.min(Math.max(full, height), longest) });
  }
  // a frame after the last change of size, with nothing that still moves
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  await page.waitForFunction(() => document.getAnimations().every(({ playState, effect }) => playState !== 'running' || effect?.getTiming().iterations === Infinity));
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY });
  await session.detach();
  await writeFile(file, Buffer.from(data, 'base64'));
}

async function testDemo(page: Page) {
  await page.getByRole('button', { name: 'Use the demo provider' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'demo works' })).toBeVisible();
}

async function testProviders(page: Page) {
  await page.getByRole('button', { name: 'Test all', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Test connections' });
  await dialog.getByRole('button', { name: 'Test' }).click();
  await expect(dialog.getByRole('status')).toBeVisible();
}

async function editKey(page: Page) {
  await page.getByRole('button', { name: 'Edit checkout-service' }).click();
  await expect(page.getByRole('dialog').getByLabel('Requests per minute')).toBeVisible();
}

let made = 0;

async function makeKey(page: Page) {
  made += 1;
  await page.getByRole('button', { name: 'New key' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'New API key' });
  await dialog.getByLabel('Name').fill(`ci-${made}`);
  await dialog.getByRole('button', { name: 'Create' }).click();
  await expect(dialog.getByLabel('curl command', { exact: true })).toBeVisible();
  await page.getByRole('alert').filter({ hasText: 'Key created' }).getByRole('button', { name: 'Dismiss' }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'Key created' })).toHaveCount(0);
}

async function editConnection(page: Page) {
  await page.getByRole('button', { name: 'Edit rack 3' }).click();
  await expect(page.getByRole('dialog').getByLabel('Default model')).toBeVisible();
}

async function openProxies(page: Page) {
  await page.getByRole('button', { name: 'Proxies of GPU server' }).click();
  await expect(page.getByRole('dialog').getByLabel('Host')).toBeVisible();
}

async function editChain(page: Page) {
  await page.getByRole('button', { name: 'Edit demo' }).click();
  await expect(page.getByRole('dialog').getByRole('combobox', { name: 'Provider 2' })).toBeVisible();
}

async function makeScript(page: Page) {
  await page.getByRole('button', { name: 'Set up Claude Code' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('API key', { exact: true }).fill('sk-of-nobody');
  await dialog.getByRole('combobox', { name: 'Model, in place of Sonnet' }).fill('smart');
  await page.getByRole('option', { name: 'smart', exact: true }).click();
  await dialog.getByRole('button', { name: 'Make the script' }).click();
  await expect(dialog.getByLabel('Shell script', { exact: true })).toBeVisible();
}

async function openPalette(page: Page) {
  await page.getByRole('button', { name: 'Go to' }).filter({ visible: true }).click();
  await page.getByRole('combobox', { name: 'Search' }).fill('s');
  await expect(page.getByRole('option').first()).toBeVisible();
}
