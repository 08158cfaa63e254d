import { expect, expectAccessible, expectApplied, test } from './gateway';

test('an account is signed in to at the page of its provider, and again', async ({ signedIn: page, complaints }) => {
  await page.goto('/dashboard/providers');
  await page.getByRole('button', { name: 'Sign in', exact: true }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Sign in to an account' });
  await dialog.getByRole('combobox', { name: 'Provider' }).click();
  await page.getByRole('option', { name: 'Gemini' }).click();
  const window = page.waitForEvent('popup');
  await dialog.getByRole('button', { name: /^Sign in at/ }).click();
  await window;
  await expectApplied(page, 'page@example.test signed in');
  await expect(dialog).toBeHidden();
  const section = page.getByRole('region', { name: 'Gemini' });
  await expect(section.getByRole('cell', { name: 'page@example.test', exact: true })).toBeVisible();
  await expect(section.getByText('active', { exact: true })).toBeVisible();
  await expectAccessible(page);

  await section.getByRole('button', { name: 'Sign in to page@example.test again' }).click();
  const again = page.waitForEvent('popup');
  await dialog.getByRole('button', { name: /^Sign in at/ }).click();
  await again;
  await expect(dialog).toBeHidden();
  await expect(section.getByRole('row')).toHaveCount(2);

  await section.getByRole('button', { name: 'Delete page@example.test' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'page@example.test deleted');
  expect(complaints).toEqual([]);
});

test('a page that nobody waits for ends the sign-in by itself', async ({ signedIn: page, complaints }) => {
  await page.goto('/dashboard/providers');
  const begun = await page.request.get('/api/oauth/gemini/authorize', { headers: { 'sec-fetch-site': 'same-origin' } });
  const { authUrl } = (await begun.json()) as { authUrl: string };
  await page.goto(authUrl);
  await expect(page.getByRole('status')).toContainText('You are signed in');
  expect(new URL(page.url()).search).toBe('');
  await page.goto('/dashboard/providers');
  const section = page.getByRole('region', { name: 'Gemini' });
  await section.getByRole('button', { name: 'Delete page@example.test' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'page@example.test deleted');
  expect(complaints).toEqual([]);
});

test('an account is signed in to by a code that is typed in elsewhere', async ({ signedIn: page, complaints }) => {
  await page.goto('/dashboard/providers');
  await page.getByRole('button', { name: 'Sign in', exact: true }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Sign in to an account' });
  await dialog.getByRole('combobox', { name: 'Provider' }).click();
  await page.getByRole('option', { name: 'Qwen' }).click();
  await dialog.getByRole('button', { name: 'Get a code' }).click();
  await expect(dialog.getByLabel('Code', { exact: true })).toHaveText(/^USER-/);
  await expect(dialog.getByRole('timer')).toContainText('minutes');
  const opened = page.waitForEvent('popup');
  await dialog.getByRole('link').click();
  await expect(await opened).toHaveTitle('Approved');
  await expectApplied(page, 'device@example.test signed in');
  const section = page.getByRole('region', { name: 'Qwen' });
  await expect(section.getByText('signed in', { exact: true })).toBeVisible();
  await section.getByRole('button', { name: 'Delete device@example.test' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'device@example.test deleted');
  expect(complaints).toEqual([]);
});
