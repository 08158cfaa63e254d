import type { Page } from '@playwright/test';
import { dollars, exactDollars } from '../src/parts/numbers';
import { type Gateway, chat, createKey, expect, test } from './gateway';
import { manage } from './manage';

const number = (value: number) => value.toLocaleString('en');
const figure = (page: Page, name: string) => page.getByRole('group', { name, exact: true });

type Request = { id: string; status: number; duration: number; cost: number | null; tokens: { in: number; out: number; cacheRead: number; cacheCreation: number; reasoning: number } };
const logged = (gateway: Gateway, page: Page, key: string) =>
  manage<Request[]>(gateway, page, 'GET', `/api/usage/request-logs?format=json&apiKey=${encodeURIComponent(key)}`);

test('the numbers of the last 24 hours on the overview are those of the management API', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'numbers of the day');
  for (let sent = 0; sent < 3; sent += 1) expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  expect((await chat(gateway, key, 'demo/sim-fail-400')).ok).toBe(false);
  await expect.poll(async () => (await logged(gateway, page, 'numbers of the day')).length).toBe(4);
  type Usage = { summary: { totalRequests: number; totalTokens: number; totalCost: number; unpricedRequests: number }; dailyTrend: { errors: number }[] };
  await page.goto('/dashboard/');
  const { summary, dailyTrend } = await manage<Usage>(gateway, page, 'GET', '/api/usage/analytics?range=1d');
  const { p50, p95 } = await manage<{ p50: number; p95: number }>(gateway, page, 'GET', '/api/telemetry/summary?windowMs=86400000');
  const errors = dailyTrend.reduce((sum, day) => sum + day.errors, 0);
  expect(errors).toBeGreaterThan(0);
  const day = page.getByRole('region', { name: 'The last 24 hours' });
  await expect(day.getByRole('group', { name: 'Requests' })).toContainText(`Requests${number(summary.totalRequests)}`);
  await expect(day.getByRole('group', { name: 'Requests' })).toContainText(`${number(summary.totalTokens)} tokens`);
  await expect(day.getByRole('group', { name: 'Failed' })).toContainText(`Failed${number(errors)}${Math.round((100 * errors) / summary.totalRequests)}% of them`);
  await expect(day.getByRole('group', { name: 'Spent' })).toContainText(`Spent${dollars(summary.totalCost)}`);
  await expect(day.getByRole('group', { name: 'Answers began within' })).toContainText(`${number(p95)} ms95 of 100; half within ${number(p50)} ms`);
  await day.getByRole('link', { name: 'All of it' }).click();
  await expect(page).toHaveURL(/usage\?range=1d$/);
  await expect(figure(page, 'Requests')).toContainText(number(summary.totalRequests));
});

test('a request says what each kind of its tokens cost, as long as the prices that are known make the sum that was billed', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'numbers of a request');
  const price = (input: number, output: number) => manage(gateway, page, 'PUT', '/api/pricing?wait=applied', { demo: { demo: { input, output } } });
  await price(1_500, 2_500);
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  await expect.poll(async () => (await logged(gateway, page, 'numbers of a request')).length).toBe(1);
  const [request] = await logged(gateway, page, 'numbers of a request');
  if (!request?.cost) throw new Error('the request cost nothing');
  const { tokens, cost } = request;
  await page.goto(`/dashboard/requests/${request.id}`);
  const fact = (name: string) => page.getByRole('region', { name: 'The request' }).getByRole('row').filter({ hasText: name });
  await expect(fact('Input, not from a cache')).toContainText(`${number(tokens.in)}, for ${exactDollars((tokens.in * 1_500) / 1e6)}`);
  await expect(fact('Output, visible')).toContainText(`${number(tokens.out)}, for ${exactDollars((tokens.out * 2_500) / 1e6)}`);
  expect((tokens.in * 1_500 + tokens.out * 2_500) / 1e6).toBeCloseTo(cost, 9);
  await expect(fact('Input, read from the provider’s cache')).toContainText(number(tokens.cacheRead));
  await expect(figure(page, 'Cost')).toContainText(dollars(cost));
  await expect(figure(page, 'Tokens')).toContainText(`${tokens.in} in, ${tokens.out} out`);
  await expect(fact('Cost of each kind')).toHaveCount(0);

  await price(1_501, 2_500);
  await page.reload();
  await expect(fact('Cost of each kind')).toContainText('cannot be told');
  await expect(fact('Output, visible')).not.toContainText('for $');
  await expect(figure(page, 'Cost')).toContainText(dollars(cost));
  await manage(gateway, page, 'DELETE', '/api/pricing?provider=demo&model=demo&wait=applied');
});

test('the numbers of the audit log are those of the management API', async ({ gateway, signedIn: page }) => {
  for (let made = 0; made < 3; made += 1) await createKey(page, `audited ${made}`);
  type Entry = { id: number; action: string; actor: string; status: string; target: string | null; configRevision: number | null; ipAddress: string | null };
  await page.goto('/dashboard/audit');
  const entries = await manage<Entry[]>(gateway, page, 'GET', '/api/compliance/audit-log?limit=50');
  const buttons = page.getByRole('main').getByRole('button', { name: /^Details of entry / });
  await expect(buttons).toHaveCount(entries.length);
  for (const [at, { id, action, actor, status, target, configRevision, ipAddress }] of entries.slice(0, 5).entries()) {
    await expect(buttons.nth(at)).toHaveAccessibleName(`Details of entry ${id}`);
    const cells = page.getByRole('row').filter({ has: page.getByRole('button', { name: `Details of entry ${id}`, exact: true }) }).getByRole('cell');
    await expect(cells.nth(1)).toHaveText(action);
    await expect(cells.nth(2)).toHaveText(actor);
    await expect(cells.nth(3)).toHaveText(target ?? '–');
    await expect(cells.nth(4)).toHaveText(status);
    await buttons.nth(at).click();
    const details = page.getByRole('cell').filter({ has: page.getByLabel(`What entry ${id} says`, { exact: true }) });
    await expect(details).toContainText(`From ${ipAddress}`);
    if (configRevision != null) await expect(details).toContainText(`the configuration became revision ${configRevision}`);
  }
});

test('the numbers of the console are those of the management API', async ({ gateway, signedIn: page }) => {
  type Line = { level: string; component: string; message: string; fields: Record<string, unknown> };
  const lines = async () => (await manage<Line[]>(gateway, page, 'GET', '/api/logs/console?limit=200&level=info')).toReversed();
  await page.goto('/dashboard/console?level=info');
  const rows = page.getByRole('main').locator('tbody').getByRole('row');
  // a line may be written between the two looks
  await expect(async () => {
    const known = await lines();
    expect(await rows.count()).toBe(known.length);
    for (const [at, { level, component, message, fields }] of known.slice(0, 5).entries()) {
      const cells = await rows.nth(at).getByRole('cell').allTextContents();
      expect(cells.slice(1, 3)).toEqual([level, component]);
      expect(cells[3]).toContain(message);
      for (const [name, value] of Object.entries(fields)) expect(cells[3]).toContain(`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
    }
  }).toPass({ timeout: 30_000 });
});

test('the numbers of the page of the cache are those of the management API', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'numbers of the cache');
  const ask = (content: string) =>
    fetch(`${gateway.address}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'demo/demo', temperature: 0, messages: [{ role: 'user', content }] }),
    });
  for (const content of ['counted once', 'counted once', 'counted twice']) expect((await ask(content)).status).toBe(200);
  type Cache = { semanticCache: { hits: number; misses: number; hitRate: number; semanticHits: number; dbEntries: number; tokensSaved: number }; idempotency: { activeKeys: number } };
  const cache = () => manage<Cache>(gateway, page, 'GET', '/api/cache');
  await expect.poll(async () => (await cache()).semanticCache.hits).toBeGreaterThan(0);
  await page.goto('/dashboard/cache');
  const { semanticCache, idempotency } = await cache();
  const memory = await manage<{ size: number; maxSize: number; evictions: number }>(gateway, page, 'GET', '/api/cache/stats');
  await expect(figure(page, 'Hits')).toContainText(`Hits${number(semanticCache.hits)}${number(semanticCache.semanticHits)} of them`);
  await expect(figure(page, 'Misses')).toContainText(`Misses${number(semanticCache.misses)}${Math.round(100 * semanticCache.hitRate)}%`);
  await expect(figure(page, 'Tokens saved')).toContainText(number(semanticCache.tokensSaved));
  await expect(figure(page, 'Size')).toContainText(number(semanticCache.dbEntries));
  await expect(page.getByRole('region', { name: 'Answers' })).toContainText(`${number(memory.size)} of at most ${number(memory.maxSize)} answers; ${number(memory.evictions)} had`);
  await expect(page.getByRole('region', { name: 'Repeats' })).toContainText(`Remembered now: ${number(idempotency.activeKeys)}`);
});
