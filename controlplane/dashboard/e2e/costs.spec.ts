import { dollars } from '../src/parts/numbers';
import { chat, createKey, expect, expectAccessible, expectApplied, test } from './gateway';

test('a model of one\'s own gets a price, its requests are counted, and a spent budget stops the key', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'spender');
  await page.getByRole('link', { name: 'Costs', exact: true }).click();
  await page.getByRole('button', { name: 'Set a price', exact: true }).click();
  const price = page.getByRole('dialog', { name: 'Set a price' });
  await price.getByRole('combobox', { name: 'Provider' }).fill('Demo');
  await page.getByRole('option', { name: 'Demo provider' }).click();
  await price.getByLabel('Model', { exact: true }).fill('demo');
  await price.getByLabel('In, USD per million', { exact: true }).fill('1000');
  await price.getByRole('button', { name: 'Save' }).click();
  await expect(price.getByLabel('In, USD per million', { exact: true })).toHaveAccessibleDescription(/needs both input and output/);
  await price.getByLabel('Out, USD per million', { exact: true }).fill('2000');
  await price.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'Price of demo/demo saved');

  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  const budget = async () =>
    (await (await page.request.get('/api/usage/budget?all=true')).json()).budgets.find(
      (each: { apiKeyName: string }) => each.apiKeyName === 'spender',
    );
  await expect.poll(async () => (await budget()).dailyTotal).toBeGreaterThan(0);
  await page.reload();
  const spent = (await budget()).dailyTotal as number;
  const row = page.getByRole('region', { name: 'Budgets' }).getByRole('row').filter({ hasText: 'spender' });
  await expect(row).toContainText(`${dollars(spent)} spent`);

  await row.getByRole('button', { name: 'Budget of spender' }).click();
  const dialog = page.getByRole('dialog', { name: 'Budget of spender' });
  await dialog.getByLabel('A day, USD').fill('0');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByLabel('A day, USD')).toHaveAccessibleDescription(/must be more than 0/);
  await dialog.getByLabel('A day, USD').fill(`${spent / 2}`);
  await dialog.getByLabel('A month, USD').fill('50');
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'Budget of spender saved');
  expect((await budget()).budget).toMatchObject({ monthlyLimitUsd: 50, weeklyLimitUsd: 0 });
  await expect(row).toContainText((await budget()).budgetCheck.reason);
  await expect(row).toContainText(`${dollars(spent)} of $50.00`);
  await expect(row.getByRole('progressbar', { name: 'Spent by spender today' })).toHaveAttribute('aria-valuenow', '100');
  await expectAccessible(page);
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(429);

  await row.getByRole('button', { name: 'Budget of spender' }).click();
  await dialog.getByLabel('A day, USD').fill('');
  await dialog.getByLabel('A month, USD').fill('');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(row).toContainText('may spend');
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);

  await page.getByRole('button', { name: 'Take the price of demo/demo back' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Take it back' }).click();
  await expectApplied(page, 'Price taken back');
});

test('a built-in price is found, overridden in part, and goes back to what it was', async ({ complaints, signedIn: page }) => {
  const prices = async () => (await (await page.request.get('/api/pricing')).json()).openai['gpt-4o'];
  const before = await prices();
  await page.goto('/dashboard/costs');
  await page.getByLabel('Search').fill('gpt-4o openai');
  const row = page.getByRole('row').filter({ hasText: /^openai\/gpt-4o(own)?\$/ });
  await expect(row).toContainText(`${dollars(before.input)}${dollars(before.output)}${dollars(before.cached)}`);

  await row.getByRole('button', { name: 'Set the price of openai/gpt-4o' }).click();
  const dialog = page.getByRole('dialog', { name: 'Price of openai/gpt-4o' });
  await expect(dialog.getByLabel('Out, USD per million', { exact: true })).toHaveAttribute('placeholder', `${before.output} (built in)`);
  await dialog.getByLabel('In, USD per million', { exact: true }).fill('9.87');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'Price of openai/gpt-4o saved');
  expect(await prices()).toMatchObject({ input: 9.87, output: before.output });
  await page.getByRole('switch', { name: 'Only my own' }).press('Space');
  await expect(row).toContainText(`own$9.87${dollars(before.output)}`);
  await expectAccessible(page);

  await row.getByRole('button', { name: 'Take the price of openai/gpt-4o back' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Take it back' }).click();
  await expectApplied(page, 'Price taken back');
  expect(await prices()).toEqual(before);
  await expect(page.getByText('No such price')).toBeVisible();
  expect(complaints).toEqual([]);
});
