import { dollars } from '../src/parts/numbers';
import { chat, createKey, expect, test } from './gateway';
import { manage } from './manage';

const number = (value: number) => value.toLocaleString('en');

test('the numbers of the page of keys are those of the management API', async ({ gateway, signedIn: page }) => {
  type Key = { id: string; name: string; key: string; isActive: boolean; rpm: number | null; tpm: number | null; concurrency: number | null; rateLimits: { limit: number; window: number }[] | null };
  const made: string[] = [];
  const limits = { rpm: 1_234, tpm: 56_789, concurrency: 12, rateLimits: [{ limit: 4_321, window: 7_200 }] };
  for (const body of [{ name: 'counted with limits', ...limits }, { name: 'counted without' }]) {
    made.push((await manage<{ id: string }>(gateway, page, 'POST', '/api/keys', body)).id);
  }
  await manage(gateway, page, 'PATCH', `/api/keys/${made[1]}`, { isActive: false });
  await page.goto('/dashboard/keys');
  const { keys } = await manage<{ keys: Key[] }>(gateway, page, 'GET', '/api/keys');
  const main = page.getByRole('main');
  await expect(main.getByRole('switch')).toHaveCount(keys.length);
  await expect(main.getByRole('switch', { checked: true })).toHaveCount(keys.filter(({ isActive }) => isActive).length);
  for (const { name, key, rpm, tpm, concurrency, rateLimits } of keys) {
    const row = main.getByRole('row').filter({ has: page.getByRole('switch', { name: `${name} enabled`, exact: true }) });
    await expect(row).toContainText(key);
    if (rpm != null) await expect(row).toContainText(`${number(rpm)} requests per minute`);
    if (tpm != null) await expect(row).toContainText(`${number(tpm)} tokens per minute`);
    if (concurrency != null) await expect(row).toContainText(`${number(concurrency)} requests at a time`);
    for (const { limit, window } of rateLimits ?? []) await expect(row).toContainText(`${number(limit)} requests in ${number(window)} s`);
  }
  expect(keys.find(({ id }) => id === made[0])).toMatchObject(limits);
  for (const id of made) await manage(gateway, page, 'DELETE', `/api/keys/${id}`);
});

test('the numbers of the page of costs are those of the management API', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'numbers of costs');
  await manage(gateway, page, 'PUT', '/api/pricing?wait=applied', { demo: { demo: { input: 1_000.5, output: 2_000.25 } } });
  await manage(gateway, page, 'PUT', '/api/pricing/periods', { provider: 'demo', model: 'counted', effectiveFrom: '2031-01-01T00:00:00Z', input: 3.75, output: 4.5 });
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  type Budget = { apiKeyId: string; apiKeyName: string; dailyTotal: number; weeklyTotal: number; monthlyTotal: number; budget: { dailyLimitUsd: number; weeklyLimitUsd: number; monthlyLimitUsd: number } };
  const budgets = async () => (await manage<{ budgets: Budget[] }>(gateway, page, 'GET', '/api/usage/budget?all=true')).budgets;
  const own = async () => (await budgets()).find(({ apiKeyName }) => apiKeyName === 'numbers of costs');
  await expect.poll(async () => (await own())?.dailyTotal ?? 0).toBeGreaterThan(0);
  await manage(gateway, page, 'POST', '/api/usage/budget', { apiKeyId: (await own())?.apiKeyId, dailyLimitUsd: 11, weeklyLimitUsd: 22, monthlyLimitUsd: 33 });

  await page.goto('/dashboard/costs');
  const all = await budgets();
  const rows = page.getByRole('region', { name: 'Budgets' });
  await expect(rows.getByRole('button', { name: /^Budget of / })).toHaveCount(all.length);
  for (const { apiKeyName, dailyTotal, weeklyTotal, monthlyTotal, budget } of all) {
    const cells = rows.getByRole('row').filter({ has: page.getByRole('button', { name: `Budget of ${apiKeyName}`, exact: true }) }).getByRole('cell');
    const spent: [number, number][] = [
      [dailyTotal, budget.dailyLimitUsd],
      [weeklyTotal, budget.weeklyLimitUsd],
      [monthlyTotal, budget.monthlyLimitUsd],
    ];
    for (const [at, [total, limit]] of spent.entries()) await expect(cells.nth(at + 1)).toContainText(`${dollars(total)} ${limit > 0 ? `of ${dollars(limit)}` : 'spent'}`);
  }
  const pricing = await manage<Record<string, Record<string, { input: number; output: number; cached: number; reasoning: number; cache_creation: number }>>>(gateway, page, 'GET', '/api/pricing');
  const price = pricing.demo?.demo;
  if (!price) throw new Error('the price is gone');
  const row = page.getByRole('region', { name: 'Prices' }).getByRole('row').filter({ hasText: 'demo/demo' }).first();
  await expect(row.getByRole('cell').nth(1)).toHaveText(dollars(price.input));
  await expect(row.getByRole('cell').nth(2)).toHaveText(dollars(price.output));
  await expect(row.getByRole('cell').nth(3)).toHaveText(dollars(price.cached));
  await expect(row.getByRole('cell').nth(4)).toHaveText(dollars(price.reasoning));
  const change = page.getByRole('region', { name: 'Price changes' }).getByRole('row').filter({ hasText: 'demo/counted' });
  await expect(change.getByRole('cell').nth(2)).toHaveText('$3.75');
  await expect(change.getByRole('cell').nth(3)).toHaveText('$4.50');

  await manage(gateway, page, 'DELETE', '/api/pricing/periods?provider=demo&model=counted&effectiveFrom=2031-01-01T00:00:00Z');
  await manage(gateway, page, 'DELETE', '/api/pricing?provider=demo&model=demo&wait=applied');
});

test('the numbers of the settings are those of the management API', async ({ gateway, signedIn: page }) => {
  type Settings = {
    stickyRoundRobinLimit: number;
    hedging: { maxSharePercent: number; minDelayMs: number };
    semanticCacheTtlMs: number;
    captureBodiesPercent: number;
    bodyRetentionDays: number;
  };
  await page.goto('/dashboard/settings');
  const settings = await manage<Settings>(gateway, page, 'GET', '/api/settings');
  const { comboDefaults } = await manage<{ comboDefaults: Record<string, number | null> }>(gateway, page, 'GET', '/api/settings/combo-defaults');
  const thinking = await manage<{ customBudget: number }>(gateway, page, 'GET', '/api/settings/thinking-budget');
  const shown: [string, string, number | null | undefined][] = [
    ['Routing', 'Requests in a row', settings.stickyRoundRobinLimit],
    ['Routing', 'At most, % of requests', settings.hedging.maxSharePercent],
    ['Routing', 'Not before, ms', settings.hedging.minDelayMs],
    ['Answer cache', 'An answer is kept for, ms', settings.semanticCacheTtlMs],
    ['Bodies of requests', 'Of % of requests', settings.captureBodiesPercent],
    ['Bodies of requests', 'For so many days', settings.bodyRetentionDays],
    ['Thinking', 'Tokens', thinking.customBudget],
    ['Combo defaults', 'Retries', comboDefaults.maxRetries],
    ['Combo defaults', 'Levels of combos', comboDefaults.maxComboDepth],
  ];
  for (const [group, label, value] of shown)
    await expect(page.getByRole('region', { name: group, exact: true }).getByLabel(label, { exact: true }), label).toHaveValue(`${value ?? ''}`);
});
