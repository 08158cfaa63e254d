import { chat, createKey, expect, expectApplied, test } from './gateway';

test('a combo answers under its own name', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'for the combo');
  await page.goto('/dashboard/combos');
  await page.getByRole('button', { name: 'New combo' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'New combo' });
  await dialog.getByLabel('Name').fill('smart');
  await dialog.getByRole('combobox', { name: 'Member 1' }).fill('demo/demo');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'smart saved');
  expect((await chat(gateway, key, 'smart')).status).toBe(200);

  await page.getByRole('button', { name: 'Delete smart' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'Combo deleted');
  expect((await chat(gateway, key, 'smart')).ok).toBe(false);
});

test('an alias comes and goes', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'for the alias');
  await page.goto('/dashboard/aliases');
  await page.getByRole('textbox', { name: 'Alias' }).fill('fast');
  await page.getByRole('textbox', { name: 'Target' }).fill('demo/demo');
  await page.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'fast saved');
  expect((await chat(gateway, key, 'fast')).status).toBe(200);

  await page.getByRole('button', { name: 'Delete fast' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'fast deleted');
  expect((await chat(gateway, key, 'fast')).ok).toBe(false);
});
