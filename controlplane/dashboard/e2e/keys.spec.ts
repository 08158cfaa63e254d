import { chat, createKey, expect, expectApplied, test } from './gateway';

test('a key works at once, its requests are listed, and a disabled key is refused', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'browser test');
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);

  await page.getByRole('link', { name: 'Requests' }).click();
  const request = page.getByRole('row').filter({ hasText: 'browser test' });
  await expect(request).toContainText('demo/demo');
  await expect(request).toContainText('200');

  await page.getByRole('link', { name: 'API keys' }).click();
  await page.getByRole('switch', { name: 'browser test enabled' }).press('Space');
  await expectApplied(page, 'Key disabled');
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(401);

  await page.getByRole('button', { name: 'Delete browser test' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'Key deleted');
  await expect(page.getByRole('row').filter({ hasText: 'browser test' })).toHaveCount(0);
});
