import { readFile } from 'node:fs/promises';
import { chat, createKey, expect, expectAccessible, expectFits, test } from './gateway';

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

test('what the page shows is exported as tables and as JSON, unrounded', async ({ complaints, gateway, signedIn: page }) => {
  const name = 'exported, "usage"';
  const key = await createKey(page, name);
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  type Part = { apiKey: string; requests: number; promptTokens: number; completionTokens: number };
  type Usage = { byApiKey: Part[]; byModel: Part[]; dailyTrend: { date: string }[] };
  const usage = async () => (await (await page.request.get('/api/usage/analytics?range=7d')).json()) as Usage;
  const mine = async () => (await usage()).byApiKey.find(({ apiKey }) => apiKey === name);
  await expect.poll(async () => (await mine())?.requests).toBe(1);
  await page.goto('/dashboard/usage?range=7d');
  const save = async (choice: string) => {
    await page.getByRole('button', { name: 'Export' }).click();
    const downloading = page.waitForEvent('download');
    await page.getByRole('menuitem', { name: choice }).click();
    const download = await downloading;
    return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') };
  };
  const keys = await save('API keys, as a table (CSV)');
  const known = await mine();
  expect(keys.name).toBe('omniroute-usage-7d-api-keys.csv');
  const row = keys.text.split('\r\n').find((line) => line.startsWith('"exported, ""usage"""'));
  expect(row?.split('",')[1]).toMatch(new RegExp(`^[0-9a-f-]{36},1,0,0,${known?.promptTokens},\\d+,\\d+,${known?.completionTokens},`));
  const days = await save('Days, as a table (CSV)');
  expect(days.text.trim().split('\r\n')).toHaveLength(1 + (await usage()).dailyTrend.length);
  const all = await save('Everything, as JSON');
  expect(all.name).toBe('omniroute-usage-7d-all.json');
  expect((JSON.parse(all.text) as Usage).byModel).toEqual((await usage()).byModel);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectFits(page);
  expect(complaints).toEqual([]);
});
