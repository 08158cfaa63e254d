import type { Page } from '@playwright/test';
import { PASSWORD, createKey, expect, expectAccessible, test } from './gateway';

/** Signs in at the identity provider, whose pages are not ours. */
async function signInAs(page: Page, name: string) {
  await page.goto('/dashboard/');
  await page.getByRole('link', { name: 'Sign in with Example ID' }).click();
  await page.locator('input[name=login]').fill(name);
  await page.locator('input[name=password]').fill('anything');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}

test('whom the identity provider calls a viewer sees everything and changes nothing', async ({ complaints, browser, page, signedIn }) => {
  await createKey(signedIn, 'looked at');
  const theirs = await (await browser.newContext({ baseURL: new URL(page.url()).origin })).newPage();
  await signInAs(theirs, 'vera');
  await expect(theirs.getByText('vera, viewer')).toBeVisible();

  await theirs.getByRole('link', { name: 'API keys', exact: true }).click();
  await expect(theirs.getByText('Changing something here takes the role admin.')).toBeVisible();
  await expect(theirs.getByRole('cell', { name: 'looked at', exact: true })).toBeVisible();
  for (const button of await theirs.getByRole('main').getByRole('button').all()) await expect(button).toBeDisabled();
  await expect(theirs.getByRole('switch', { name: 'looked at enabled' })).toBeDisabled();
  await expectAccessible(theirs);

  const refused = await theirs.request.post('/api/keys', { data: { name: 'mine' }, headers: { origin: new URL(theirs.url()).origin } });
  expect(refused.status()).toBe(403);
  expect((await refused.json()).error.code).toBe('AUTH_004');
  await theirs.context().close();
  expect(complaints).toEqual([]);
});

test('whom nothing gives a role is told so, and so is a login that began elsewhere', async ({ page }) => {
  await signInAs(page, 'nobody');
  await expect(page.getByRole('alert')).toContainText('nothing gives you a role here');
  await page.goto('/api/auth/oidc/callback?code=stolen&state=guessed');
  await expect(page.getByRole('alert')).toContainText('began somewhere else');
  expect((await page.request.get('/api/keys')).status()).toBe(401);
});

test('an owner lets somebody in, changes what they may do, and shows them out', async ({ browser, complaints, signedIn: page }) => {
  await page.goto('/dashboard/team');
  await page.getByRole('button', { name: 'New account' }).click();
  const dialog = page.getByRole('dialog', { name: 'New account' });
  await dialog.getByLabel('Username').fill('otto');
  await dialog.getByRole('combobox', { name: 'Role' }).click();
  await page.getByRole('option', { name: /^operator/ }).click();
  await dialog.getByLabel('First password').fill(PASSWORD);
  await dialog.getByRole('button', { name: 'Create' }).click();
  await expect(dialog).toBeHidden();

  const theirs = await (await browser.newContext({ baseURL: new URL(page.url()).origin })).newPage();
  await theirs.goto('/dashboard/combos');
  await theirs.getByLabel('Username').fill('otto');
  await theirs.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
  await theirs.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(theirs.getByRole('button', { name: 'New combo' }).first()).toBeEnabled();
  await theirs.getByRole('link', { name: 'API keys', exact: true }).click();
  await expect(theirs.getByRole('button', { name: 'New key' }).first()).toBeDisabled();

  const row = page.getByRole('row').filter({ hasText: 'otto' });
  await row.getByRole('combobox', { name: 'Role of otto' }).click();
  await page.getByRole('option', { name: /^admin/ }).click();
  await theirs.reload();
  await expect(theirs.getByRole('button', { name: 'New key' }).first()).toBeEnabled();

  await row.getByRole('button', { name: 'Delete otto' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(row).toHaveCount(0);
  await theirs.reload();
  await expect(theirs.getByRole('heading', { name: 'Sign in to OmniRoute' })).toBeVisible();
  await theirs.context().close();
  expect(complaints).toEqual([]);
});

test('a token is shown once and works until it is deleted', async ({ gateway, signedIn: page }) => {
  await page.goto('/dashboard/team');
  const tokens = page.getByRole('region', { name: 'Management tokens' });
  await tokens.getByRole('button', { name: 'New token' }).click();
  const dialog = page.getByRole('dialog', { name: 'New management token' });
  await dialog.getByLabel('Name').fill('grafana');
  await dialog.getByRole('combobox', { name: 'Scopes' }).fill('usage:read');
  await page.getByRole('option', { name: 'usage:read' }).click();
  await page.keyboard.press('Escape');
  await dialog.getByRole('button', { name: 'Create' }).click();
  const token = await dialog.getByLabel('Management token', { exact: true }).textContent();
  await dialog.getByRole('button', { name: 'Done' }).click();

  const ask = async (path: string) =>
    (await fetch(`${gateway.address}${path}`, { headers: { authorization: `Bearer ${token}` } })).status;
  expect([await ask('/api/usage/history'), await ask('/api/keys')]).toEqual([200, 403]);
  await tokens.getByRole('button', { name: 'Delete grafana' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(tokens.getByText('No token yet')).toBeVisible();
  expect(await ask('/api/usage/history')).toBe(401);
});
