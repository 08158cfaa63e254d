import { chat, createKey, expect, expectAccessible, expectApplied, expectFits, test } from './gateway';
import { connect, disconnect, manage } from './manage';

type Chains = { chains: Record<string, { provider: string; priority: number; enabled: boolean }[]> };

test('a chain is made, put into another order and taken away, and requests follow it', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'chained');
  const account = await connect(gateway, page, 'nowhere to be found', 'http://127.0.0.1:9/v1');
  const stored = async () => (await manage<Chains>(gateway, page, 'GET', '/api/fallback/chains')).chains['chained-model'];
  expect((await chat(gateway, key, 'chained-model')).ok).toBe(false);

  await page.getByRole('link', { name: 'Aliases', exact: true }).click();
  const section = page.getByRole('region', { name: 'Fallback chains' });
  await expect(section.getByText('No chain yet')).toBeVisible();
  await page.setViewportSize({ width: 390, height: 844 });
  await section.getByRole('button', { name: 'New chain' }).click();
  const dialog = page.getByRole('dialog', { name: 'New chain' });
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByText('Choose at least one provider')).toBeVisible();
  await dialog.getByLabel('Model').fill('chained-model');
  for (const [position, name] of [
    [1, 'Demo provider'],
    [2, 'OpenAI'],
  ] as const) {
    await dialog.getByRole('combobox', { name: `Provider ${position}`, exact: true }).fill(name);
    await page.getByRole('option', { name, exact: true }).click();
  }
  await expectAccessible(page);
  await expectFits(page);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'chained-model saved');
  await page.setViewportSize({ width: 1280, height: 800 });
  expect((await stored())?.map(({ priority, enabled }) => [priority, enabled])).toEqual([
    [0, true],
    [1, true],
  ]);
  const row = section.getByRole('row').filter({ has: page.getByRole('button', { name: 'Edit chained-model' }) });
  await expect(row).toContainText('demo');
  await expect(row).toContainText('openai');
  expect((await chat(gateway, key, 'chained-model')).status).toBe(200);

  // the one that fails comes first, and the other one answers all the same
  await row.getByRole('button', { name: 'Edit chained-model' }).click();
  const edited = page.getByRole('dialog', { name: 'Edit chained-model' });
  await edited.getByRole('button', { name: 'Move provider 1', exact: true }).focus();
  await page.keyboard.press('Space');
  await expect(page.getByRole('status').filter({ hasText: 'Picked up Demo provider, at place 1 of 2.' })).toBeAttached();
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('status').filter({ hasText: 'Demo provider is over place 2 of 2.' })).toBeAttached();
  await page.keyboard.press('Space');
  await expect(edited.getByRole('combobox', { name: 'Provider 1', exact: true })).toHaveValue('OpenAI');
  await edited.getByRole('button', { name: 'Save' }).click();
  await expect(edited).toBeHidden();
  expect((await stored())?.[0]?.provider).toBe('openai');
  expect((await chat(gateway, key, 'chained-model')).status).toBe(200);

  // left out, it is not asked
  await row.getByRole('button', { name: 'Edit chained-model' }).click();
  await edited.getByRole('switch', { name: 'Ask provider 2' }).press('Space');
  await edited.getByRole('button', { name: 'Save' }).click();
  await expect(edited).toBeHidden();
  await expect(row).toContainText('left out');
  expect((await stored())?.[1]?.enabled).toBe(false);
  await expect.poll(async () => (await chat(gateway, key, 'chained-model')).ok).toBe(false);

  await row.getByRole('button', { name: 'Delete chained-model' }).click();
  await page.getByRole('dialog', { name: 'Delete chained-model?' }).getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'chained-model deleted');
  expect(await stored()).toBeUndefined();
  await manage(gateway, page, 'POST', '/api/resilience/reset', { provider: 'openai' });
  await disconnect(gateway, page, account);
  expect(complaints).toEqual([]);
});
