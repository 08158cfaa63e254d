import { chat, createKey, expect, expectAccessible, test } from './gateway';

test('what a request used is on the page of usage, as the management API says it', async ({
  complaints,
  gateway,
  signedIn: page,
}) => {
  const key = await createKey(page, 'usage test');
  for (let sent = 0; sent < 3; sent += 1) expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  const usage = async () => (await page.request.get('/api/usage/analytics?range=7d')).json();
  await expect.poll(async () => (await usage()).byApiKey.find((part: { apiKey: string }) => part.apiKey === 'usage test')?.requests).toBe(3);

  await page.getByRole('link', { name: 'Usage' }).click();
  await page.getByRole('radiogroup', { name: 'Range' }).getByText('Week').click();
  await expect(page).toHaveURL(/range=7d/);
  const { summary, byApiKey } = await usage();
  const mine = byApiKey.find((part: { apiKey: string }) => part.apiKey === 'usage test');
  const row = page.getByRole('region', { name: 'By API key' }).getByRole('row').filter({ hasText: 'usage test' });
  await expect(row).toContainText(`${mine.requests}`);
  await expect(row).toContainText(`${mine.totalTokens}`);
  await expect(row).toContainText(`${mine.pct}%`);
  await expect(page.getByRole('region', { name: 'By model' })).toContainText('demo/demo');
  const [read, written] = [summary.promptTokens, summary.completionTokens].map((tokens) => tokens.toLocaleString('en-US'));
  await expect(page.getByText(`${read} in, ${written} out`)).toBeVisible();
  await expect(page.getByRole('region', { name: 'Tokens by day' }).locator('.recharts-bar-rectangle').first()).toBeVisible();
  await expectAccessible(page);
  expect(complaints).toEqual([]);
});
