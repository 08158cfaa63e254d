import { PASSWORD, createKey, expect, expectAccessible, expectApplied, test } from './gateway';
import { manage } from './manage';

type Combo = { id: string; name: string; models: string[] };

test('a session that ends in the midst of an edit loses nothing of it', async ({ context, gateway, session, signedIn: page }) => {
  await page.goto('/dashboard/combos');
  await page.getByRole('button', { name: 'New combo' }).first().click();
  const editor = page.getByRole('dialog', { name: 'New combo' });
  await editor.getByLabel('Name').fill('unhurt');
  await editor.getByRole('combobox', { name: 'Member 1' }).fill('demo/demo');
  await page.keyboard.press('Tab');
  await editor.getByRole('button', { name: 'Another member' }).click();
  await editor.getByRole('combobox', { name: 'Member 2' }).fill('demo/second');
  await page.keyboard.press('Tab');

  await context.clearCookies();
  await editor.getByRole('button', { name: 'Save' }).click();
  const again = page.getByRole('dialog', { name: 'Your session has ended' });
  await expect(again).toContainText('Sign in again as admin');
  await expect(again.getByRole('textbox', { name: 'Password' })).toBeFocused();
  await expectAccessible(page);
  // neither this dialog nor the one below goes away by accident
  await page.keyboard.press('Escape');
  await again.getByRole('textbox', { name: 'Password' }).fill('not the password');
  await page.keyboard.press('Enter');
  await expect(again.getByRole('textbox', { name: 'Password' })).toHaveAccessibleDescription(/password/i);
  await again.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
  await page.keyboard.press('Enter');
  await expect(again).toBeHidden();

  await expect(editor.getByLabel('Name')).toHaveValue('unhurt');
  await expect(editor.getByRole('combobox', { name: 'Member 2' })).toHaveValue('demo/second');
  await editor.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'unhurt saved');
  const { combos } = await manage<{ combos: Combo[] }>(gateway, page, 'GET', '/api/combos');
  const saved = combos.find(({ name }) => name === 'unhurt');
  expect(saved?.models).toEqual(['demo/demo', 'demo/second']);
  await manage(gateway, page, 'DELETE', `/api/combos/${saved?.id}`);
  await context.addCookies(session);
});

test('a page that asks by itself notices the end of its session, and keeps what is being typed on it', async ({
  context,
  gateway,
  session,
  signedIn: page,
}) => {
  await createKey(page, 'of the expiry');
  await page.goto('/dashboard/limits');
  await expect(page.getByRole('heading', { name: 'Limits', level: 1 })).toBeVisible();
  await context.clearCookies();
  // it asks every few seconds
  const again = page.getByRole('dialog', { name: 'Your session has ended' });
  await expect(again).toBeVisible();
  await expect(page.getByRole('region', { name: 'Accounts' })).toBeAttached();
  await context.addCookies(session);

  await page.goto('/dashboard/settings');
  const prompt = page.getByRole('region', { name: 'System prompt' });
  await prompt.getByLabel('Prompt', { exact: true }).fill('Half of a sentence that took some time to');
  await context.clearCookies();
  await prompt.getByRole('button', { name: 'Save' }).click();
  await again.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
  await again.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(again).toBeHidden();
  await expect(prompt.getByLabel('Prompt', { exact: true })).toHaveValue('Half of a sentence that took some time to');
  await prompt.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'System prompt saved');
  const stored = await manage<{ prompt: string }>(gateway, page, 'GET', '/api/settings/system-prompt');
  expect(stored.prompt).toBe('Half of a sentence that took some time to');
  await manage(gateway, page, 'PATCH', '/api/settings/system-prompt', { prompt: '' });

  // whoever does not want to go on is led to the login
  await context.clearCookies();
  await page.goto('/dashboard/limits');
  await expect(page.getByRole('heading', { name: 'Sign in to OmniRoute' })).toBeVisible();
  await context.addCookies(session);
});
