import type { Page } from '@playwright/test';
import { PASSWORD, chat, createKey, expect, test } from './gateway';
import { connect, disconnect, forgiveNothing, manage } from './manage';

type Connection = { id: string; name: string; provider: string; isActive: boolean };
type Figures = { totalRequests: number; successRate: number; p50Ms: number; p95Ms: number };
type Catalog = { catalog: Record<string, { id: string; provider: string; models: object[] }> };

const number = (value: number | undefined) => (value ?? Number.NaN).toLocaleString('en');

/** As the page writes it, in the time zone of the browser. */
const written = (page: Page, timestamp: string) =>
  page.evaluate((given) => new Intl.DateTimeFormat(navigator.language, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(given)), timestamp);

test('the numbers of the page of providers are those of the management API', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'numbers of providers');
  const ids = [await connect(gateway, page, 'one of two', gateway.demo), await connect(gateway, page, 'two of two', 'http://127.0.0.1:9/v1')];
  for (let sent = 0; sent < 3; sent += 1) expect((await chat(gateway, key, 'openai/gpt-4o')).status).toBe(200);
  const figures = async () => (await manage<{ metrics: Record<string, Figures> }>(gateway, page, 'GET', '/api/provider-metrics')).metrics.openai;
  await expect.poll(async () => (await figures())?.totalRequests ?? 0).toBeGreaterThanOrEqual(3);

  await page.goto('/dashboard/providers');
  const { connections } = await manage<{ connections: Connection[] }>(gateway, page, 'GET', '/api/providers');
  const { catalog } = await manage<Catalog>(gateway, page, 'GET', '/api/models/catalog');
  const main = page.getByRole('main');
  await expect(main.getByRole('switch', { name: / enabled$/ })).toHaveCount(connections.length);
  await expect(main.getByRole('switch', { name: / enabled$/, checked: true })).toHaveCount(connections.filter(({ isActive }) => isActive).length);
  const section = page.getByRole('region', { name: 'OpenAI', exact: true });
  await expect(section.getByRole('button', { name: /^Move / })).toHaveCount(connections.filter(({ provider }) => provider === 'openai').length);
  const known = await figures();
  await expect(section).toContainText(
    `Requests in 30 days: ${number(known?.totalRequests)}, ${known?.successRate}% answered. ` +
      `Half of the answers began within ${number(known?.p50Ms)} ms, 95 of 100 within ${number(known?.p95Ms)} ms.`,
  );

  await section.getByRole('button', { name: 'Models of OpenAI' }).click();
  const models = Object.values(catalog).find(({ id }) => id === 'openai')?.models.length;
  await expect(page.getByRole('dialog', { name: 'Models of OpenAI' })).toContainText(`Known beforehand or listed here: ${number(models)}.`);
  for (const id of ids) await disconnect(gateway, page, id);
});

test('the numbers of the page of the team are those of the management API', async ({ gateway, signedIn: page }) => {
  const created: string[] = [];
  for (const [username, role] of [
    ['counted-viewer', 'viewer'],
    ['counted-operator', 'operator'],
  ]) {
    const { id } = await manage<{ id: string }>(gateway, page, 'POST', '/api/accounts', { username, role, password: PASSWORD });
    created.push(id);
  }
  await manage(gateway, page, 'PATCH', `/api/accounts/${created[0]}`, { isActive: false });
  const token = await manage<{ id: string }>(gateway, page, 'POST', '/api/tokens', { name: 'counted', scopes: ['*:read', 'usage:read'] });
  type Account = { username: string; role: string; isActive: boolean; byOidc: boolean; lastLoginAt: string | null };
  const { accounts } = await manage<{ accounts: Account[] }>(gateway, page, 'GET', '/api/accounts');
  const { tokens } = await manage<{ tokens: { name: string; scopes: string[] }[] }>(gateway, page, 'GET', '/api/tokens');

  await page.goto('/dashboard/team');
  const people = page.getByRole('region', { name: 'Accounts' });
  const programs = page.getByRole('region', { name: 'Management tokens' });
  await expect(people.getByRole('switch')).toHaveCount(accounts.length);
  await expect(people.getByRole('switch', { checked: true })).toHaveCount(accounts.filter(({ isActive }) => isActive).length);
  await expect(people.getByRole('cell', { name: 'single sign-on' })).toHaveCount(accounts.filter(({ byOidc }) => byOidc).length);
  await expect(people.getByRole('cell', { name: 'never', exact: true })).toHaveCount(accounts.filter(({ lastLoginAt }) => !lastLoginAt).length);
  for (const { username, role, lastLoginAt } of accounts) {
    const row = people.getByRole('row').filter({ has: page.getByRole('switch', { name: `${username} active`, exact: true }) });
    await expect(row.getByRole('combobox')).toHaveValue(new RegExp(`^${role}:`));
    if (lastLoginAt) await expect(row).toContainText(await written(page, lastLoginAt));
  }
  await expect(programs.getByRole('button', { name: /^Delete / })).toHaveCount(tokens.length);
  const row = programs.getByRole('row').filter({ hasText: 'counted' });
  await expect(row.locator('.mantine-Badge-root')).toHaveCount(tokens.find(({ name }) => name === 'counted')?.scopes.length ?? 0);

  await manage(gateway, page, 'DELETE', `/api/tokens/${token.id}`);
  for (const id of created) await manage(gateway, page, 'DELETE', `/api/accounts/${id}`);
});

test('the numbers of the page of policies are those of the management API', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'numbers of policies');
  const forgive = await forgiveNothing(gateway, page);
  const account = await connect(gateway, page, 'never there', 'http://127.0.0.1:9/v1');
  type Policy = { id: string; name: string; priority: number; enabled: boolean; actions: { max_tokens?: number } };
  type List = { policies: Policy[]; circuitBreakers: { name: string; failureCount: number }[]; lockedIdentifiers: object[] };
  const policy = (name: string, priority: number, tokens: number) =>
    manage(gateway, page, 'POST', '/api/policies?wait=applied', { name, type: 'budget', priority, conditions: { model_pattern: 'counted/*' }, actions: { max_tokens: tokens } });
  await policy('counted short', 7, 1_234);
  await policy('counted long', 3, 56_789);
  expect((await chat(gateway, key, 'openai/gpt-4o')).ok).toBe(false);
  const listed = () => manage<List>(gateway, page, 'GET', '/api/policies');
  await expect.poll(async () => (await listed()).circuitBreakers.some(({ failureCount }) => failureCount > 0)).toBe(true);

  await page.goto('/dashboard/policies');
  const { policies, circuitBreakers, lockedIdentifiers } = await listed();
  const main = page.getByRole('main');
  await expect(main.getByRole('switch')).toHaveCount(policies.length);
  await expect(main.getByRole('switch', { checked: true })).toHaveCount(policies.filter(({ enabled }) => enabled).length);
  for (const { name, priority, actions } of policies) {
    const row = main.getByRole('row').filter({ has: page.getByRole('switch', { name: `${name} enabled`, exact: true }) });
    await expect(row.getByRole('cell').first()).toHaveText(`${priority}`);
    if (actions.max_tokens) await expect(row).toContainText(`at most ${number(actions.max_tokens)} tokens in an answer`);
  }
  const breakers = page.getByRole('region', { name: 'Circuit breakers' }).locator('tbody').getByRole('row');
  await expect(breakers).toHaveCount(circuitBreakers.length);
  for (const [at, { failureCount }] of circuitBreakers.entries()) await expect(breakers.nth(at).getByRole('cell').nth(2)).toHaveText(`${failureCount}`);
  await expect(page.getByRole('region', { name: 'Locked out' }).getByRole('button', { name: /^Unlock / })).toHaveCount(lockedIdentifiers.length);

  for (const { id } of policies) await manage(gateway, page, 'DELETE', `/api/policies?id=${id}`);
  await manage(gateway, page, 'POST', '/api/resilience/reset', { provider: 'openai' });
  await disconnect(gateway, page, account);
  await forgive();
});

test('the numbers of the page of evals are those of the management API', async ({ gateway, signedIn: page }) => {
  type Run = { runId: string; suiteName: string; status: string; target: { id?: string }; summary: { passed: number; failed: number; total: number; passRate: number } };
  type Overview = { suites: { name: string; cases: object[] }[]; recentRuns: Run[] };
  const overview = () => manage<Overview>(gateway, page, 'GET', '/api/evals?view=full');
  const [suite] = (await manage<{ id: string }[]>(gateway, page, 'GET', '/api/evals')) ?? [];
  await manage(gateway, page, 'POST', '/api/evals', { suiteId: suite?.id, target: { type: 'model', id: 'demo/counted' } });

  await page.goto('/dashboard/evals');
  const { suites, recentRuns } = await overview();
  const listed = page.getByRole('region', { name: 'Suites' });
  for (const { name, cases } of suites) await expect(listed.getByRole('button').filter({ hasText: `${name}, ${cases.length} case` }).first()).toBeVisible();
  await expect(listed.getByRole('button', { name: /, \d+ cases?/ })).toHaveCount(suites.length);
  const rows = page.getByRole('region', { name: 'Recent runs' }).locator('tbody').getByRole('row');
  await expect(rows).toHaveCount(recentRuns.length);
  for (const [at, { summary }] of recentRuns.entries()) await expect(rows.nth(at).getByRole('cell').nth(4)).toHaveText(`${summary.passed} of ${summary.total}`);

  const run = recentRuns.find(({ target }) => target.id === 'demo/counted');
  await rows.filter({ hasText: 'demo/counted' }).first().getByRole('button').click();
  const { passed, failed, total, passRate } = run?.summary ?? { passed: -1, failed: -1, total: -1, passRate: -1 };
  await expect(page.getByRole('group', { name: 'Run with demo/counted' })).toContainText(`${passed} passed, ${failed} failed of ${total}: ${passRate}%`);
});

test('the numbers of the page of aliases are those of the management API', async ({ gateway, signedIn: page }) => {
  const names = ['counted-one', 'counted-two', 'counted-three'];
  for (const alias of names) await manage(gateway, page, 'PUT', '/api/models/alias', { alias, model: 'demo/demo' });
  const chain = [{ provider: 'openai' }, { provider: 'anthropic', enabled: false }, { provider: 'mistral' }];
  await manage(gateway, page, 'PUT', '/api/fallback/chains', { model: 'counted-model', chain });
  await manage(gateway, page, 'PUT', '/api/fallback/chains', { model: 'counted-too', chain: chain.slice(0, 1) });
  const { aliases } = await manage<{ aliases: Record<string, string> }>(gateway, page, 'GET', '/api/models/alias');
  type Chains = { chains: Record<string, { provider: string; enabled: boolean }[]> };
  const { chains } = await manage<Chains>(gateway, page, 'GET', '/api/fallback/chains');

  await page.goto('/dashboard/aliases');
  const section = page.getByRole('region', { name: 'Fallback chains' });
  await expect(section.getByRole('button', { name: /^Edit / })).toHaveCount(Object.keys(chains).length);
  await expect(page.getByRole('main').getByRole('button', { name: /^Delete / })).toHaveCount(Object.keys(aliases).length + Object.keys(chains).length);
  for (const [alias, target] of Object.entries(aliases)) {
    const row = page.getByRole('row').filter({ has: page.getByRole('button', { name: `Delete ${alias}`, exact: true }) });
    await expect(row.getByRole('cell').nth(1)).toHaveText(target);
  }
  for (const [model, links] of Object.entries(chains)) {
    const row = section.getByRole('row').filter({ has: page.getByRole('button', { name: `Edit ${model}`, exact: true }) });
    const badges = row.locator('.mantine-Badge-root');
    await expect(badges).toHaveCount(links.length);
    await expect(badges.filter({ hasText: 'left out' })).toHaveCount(links.filter(({ enabled }) => !enabled).length);
    for (const [at, { provider }] of links.entries()) await expect(badges.nth(at)).toContainText(provider);
  }
  for (const model of Object.keys(chains)) await manage(gateway, page, 'DELETE', `/api/fallback/chains?model=${model}`);
  for (const alias of names) await manage(gateway, page, 'DELETE', `/api/models/alias?alias=${alias}`);
});
