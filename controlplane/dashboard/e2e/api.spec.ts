import { expect, test } from './gateway';

test('the management API can be looked up, with what goes in and what comes out', async ({ complaints, signedIn: page }) => {
  await page.goto('/dashboard/api');
  await page.getByLabel('Find').fill('post /api/keys');
  const operations = page.getByRole('main').getByRole('button', { name: /post/i });
  await expect(operations).toHaveCount(2);
  await page.getByRole('button', { name: 'Creates a key and shows it, once.' }).click();
  await expect(page.getByText('allowedModels?: string[] | null;').first()).toBeVisible();
  await expect(page.getByText('Answer 201')).toBeVisible();
  await page.getByLabel('Find').fill('nothing like this');
  await expect(page.getByText('Nothing fits')).toBeVisible();
  expect(complaints).toEqual([]);
});
