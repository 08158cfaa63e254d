import type { Page } from '@playwright/test';
import { createKey, expect, expectAccessible, expectApplied, test } from './gateway';
import { manage } from './manage';

/** Deletes something on the page that is open, and takes that back in the note about it. */
async function deleteAndUndo(page: Page, name: string, note: string, back = `${name} is back`) {
  await page.getByRole('button', { name: `Delete ${name}`, exact: true }).click();
  await page.getByRole('dialog', { name: `Delete ${name}?` }).getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, note);
  await expect(page.getByRole('button', { name: `Delete ${name}`, exact: true })).toHaveCount(0);
  await page.getByRole('alert').filter({ hasText: note }).getByRole('button', { name: 'Undo' }).click();
  await expectApplied(page, back);
  await expect(page.getByRole('button', { name: `Delete ${name}`, exact: true })).toBeVisible();
  await expect(page.getByRole('alert').filter({ hasText: note })).toHaveCount(0);
}

test('an alias, a chain, a combo and a policy that were deleted come back as they were', async ({ complaints, gateway, signedIn: page }) => {
  const get = <T>(path: string) => manage<T>(gateway, page, 'GET', path);
  await manage(gateway, page, 'PUT', '/api/models/alias', { alias: 'mistaken', model: 'demo/demo' });
  const chain = [{ provider: 'openai' }, { provider: 'mistral', enabled: false }];
  await manage(gateway, page, 'PUT', '/api/fallback/chains', { model: 'mistaken-model', chain });
  const chains = () => get<{ chains: Record<string, object> }>('/api/fallback/chains').then(({ chains }) => chains['mistaken-model']);
  const stored = await chains();
  await page.goto('/dashboard/aliases');
  await deleteAndUndo(page, 'mistaken', 'mistaken deleted');
  expect((await get<{ aliases: Record<string, string> }>('/api/models/alias')).aliases.mistaken).toBe('demo/demo');
  await deleteAndUndo(page, 'mistaken-model', 'mistaken-model deleted');
  expect(await chains()).toEqual(stored);
  await manage(gateway, page, 'DELETE', '/api/models/alias?alias=mistaken');
  await manage(gateway, page, 'DELETE', '/api/fallback/chains?model=mistaken-model');

  type Combo = { id: string; name: string; models: unknown; strategy: string; config: object; isActive: boolean };
  const body = { name: 'mistaken-combo', strategy: 'weighted', models: [{ model: 'demo/demo', weight: 7 }], config: { maxRetries: 4 }, isActive: false };
  await manage(gateway, page, 'POST', '/api/combos', body);
  const combo = async () => (await get<{ combos: Combo[] }>('/api/combos')).combos.find(({ name }) => name === 'mistaken-combo');
  await page.goto('/dashboard/combos');
  await deleteAndUndo(page, 'mistaken-combo', 'Combo deleted');
  expect(await combo()).toMatchObject(body);
  await expectAccessible(page);
  await manage(gateway, page, 'DELETE', `/api/combos/${(await combo())?.id}`);

  type Policy = { id: string; name: string };
  const rule = { name: 'mistaken-rule', type: 'budget', priority: 31, enabled: false, conditions: { model_pattern: 'none/*' }, actions: { max_tokens: 9 } };
  await manage(gateway, page, 'POST', '/api/policies', rule);
  const policy = async () => (await get<{ policies: Policy[] }>('/api/policies')).policies.find(({ name }) => name === 'mistaken-rule');
  await page.goto('/dashboard/policies');
  await deleteAndUndo(page, 'mistaken-rule', 'Policy deleted');
  expect(await policy()).toMatchObject(rule);
  await manage(gateway, page, 'DELETE', `/api/policies?id=${(await policy())?.id}`);
  expect(complaints).toEqual([]);
});

test('a model and a price change that were taken away come back as they were', async ({ complaints, gateway, signedIn: page }) => {
  const model = { provider: 'demo', modelId: 'mistaken-model', modelName: 'Mistaken', type: 'embedding', contextWindow: 2_048 };
  await manage(gateway, page, 'POST', '/api/provider-models', model);
  const models = async () => (await manage<{ models: { id: string }[] }>(gateway, page, 'GET', '/api/provider-models?provider=demo')).models;
  const stored = (await models()).find(({ id }) => id === 'mistaken-model');
  await page.goto('/dashboard/providers');
  await page.getByRole('button', { name: 'Models of Demo provider' }).click();
  await deleteAndUndo(page, 'mistaken-model', 'mistaken-model deleted');
  expect((await models()).find(({ id }) => id === 'mistaken-model')).toEqual(stored);
  await manage(gateway, page, 'DELETE', '/api/provider-models?provider=demo&model=mistaken-model');

  const period = { provider: 'demo', model: 'mistaken', effectiveFrom: '2031-02-03T04:05:06.000Z', input: 1.5, output: 2.5, cached: 0.25 };
  await manage(gateway, page, 'PUT', '/api/pricing/periods', period);
  const periods = async () => (await manage<{ periods: object[] }>(gateway, page, 'GET', '/api/pricing/periods')).periods;
  const before = await periods();
  await page.goto('/dashboard/costs');
  await page.getByRole('button', { name: 'Take back the price change of demo/mistaken' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'Price change taken back');
  expect(await periods()).toEqual([]);
  await page.getByRole('alert').filter({ hasText: 'Price change taken back' }).getByRole('button', { name: 'Undo' }).click();
  await expectApplied(page, 'Price change of demo/mistaken is back');
  expect(await periods()).toEqual(before);
  await manage(gateway, page, 'DELETE', `/api/pricing/periods?provider=demo&model=mistaken&effectiveFrom=${encodeURIComponent(period.effectiveFrom)}`);
  expect(complaints).toEqual([]);
});

test('a switch moves at once, and goes back by itself when that is refused', async ({ complaints, gateway, signedIn: page }) => {
  await createKey(page, 'switched');
  const enabled = async () => (await manage<{ keys: { name: string; isActive: boolean }[] }>(gateway, page, 'GET', '/api/keys')).keys.find(({ name }) => name === 'switched')?.isActive;
  const toggle = page.getByRole('switch', { name: 'switched enabled' });
  let answer = () => undefined as unknown;
  const asked = new Promise<void>((ask) => {
    void page.route('**/api/keys/*', async (route) => {
      if (route.request().method() !== 'PATCH') return route.fallback();
      const held = new Promise<void>((release) => (answer = release as () => undefined));
      ask();
      await held;
      await route.continue();
    });
  });
  await toggle.press('Space');
  await asked;
  // nobody has answered yet
  await expect(toggle).not.toBeChecked();
  expect(await enabled()).toBe(true);
  answer();
  await expectApplied(page, 'Key disabled');
  await expect(toggle).not.toBeChecked();
  expect(await enabled()).toBe(false);
  await page.unroute('**/api/keys/*');

  await page.route('**/api/keys/*', (route) => (route.request().method() === 'PATCH' ? route.fulfill({ status: 503, json: { error: { code: 'AWAY', message: 'nobody is there', correlation_id: 'r-17' } } }) : route.fallback()));
  await toggle.press('Space');
  const refusal = page.getByRole('alert').filter({ hasText: 'That did not work' });
  await expect(refusal).toContainText('nobody is there');
  await expect(refusal).toContainText('AWAY · r-17');
  await expect(toggle).not.toBeChecked();
  await page.unroute('**/api/keys/*');
  expect(complaints.filter((text) => !text.includes('503'))).toEqual([]);
});
