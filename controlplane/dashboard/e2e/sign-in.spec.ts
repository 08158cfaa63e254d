import { PASSWORD, expect, test } from './gateway';

test('a wrong password is refused, the right one leads to where one wanted to go', async ({ page }) => {
  await page.goto('/dashboard/keys');
  await expect(page.getByRole('heading', { name: 'Sign in to OmniRoute' })).toBeVisible();
  const password = page.getByRole('textbox', { name: 'Password' });

  await password.fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(password).toHaveAccessibleDescription(/password/i);

  await password.fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'API keys', level: 1 })).toBeVisible();
});

test('signing in takes no mouse', async ({ page }) => {
  await page.goto('/dashboard/usage');
  await expect(page.getByRole('textbox', { name: 'Password' })).toBeFocused();
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Usage', level: 1 })).toBeVisible();
});

test('signing out ends the session', async ({ page }) => {
  await page.request.post('/api/auth/login', { data: { password: PASSWORD } });
  await page.goto('/dashboard/');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in to OmniRoute' })).toBeVisible();
  await page.goto('/dashboard/keys');
  await expect(page.getByRole('heading', { name: 'Sign in to OmniRoute' })).toBeVisible();
});
