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

test('usage is narrowed to a key, a provider and a time, as the management API sums it up, and the finding can be passed on', async ({ complaints, gateway, signedIn: page }) => {
  const names = ['narrowed one', 'narrowed other'];
  for (const name of names) {
    const key = await createKey(page, name);
    for (let sent = 0; sent < (name === names[0] ? 2 : 1); sent += 1) expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  }
  type Summary = { totalRequests: number; totalTokens: number; promptTokens: number };
  const summary = async (query: string) => ((await (await page.request.get(`/api/usage/analytics?${query}`)).json()) as { summary: Summary }).summary;
  const { keys } = (await (await page.request.get('/api/keys')).json()) as { keys: { id: string; name: string }[] };
  const id = keys.find(({ name }) => name === names[0])?.id;
  const { connections } = (await (await page.request.get('/api/providers')).json()) as { connections: { name: string; provider: string }[] };
  const provider = connections.find(({ name }) => name === 'demo')?.provider ?? '';
  await expect.poll(async () => (await summary(`range=7d&apiKeyId=${id}`)).totalRequests).toBe(2);

  await page.goto('/dashboard/usage?range=7d');
  const filter = page.getByRole('search', { name: 'Filter' });
  const requests = page.getByRole('group', { name: 'Requests', exact: true });
  await filter.getByRole('combobox', { name: 'API key' }).click();
  await page.getByRole('option', { name: names[0] }).click();
  await filter.getByRole('combobox', { name: 'Provider' }).click();
  await page.getByRole('option', { name: 'demo' }).click();
  await filter.getByRole('button', { name: 'Apply' }).click();
  await expect(page).toHaveURL(new RegExp(`range=7d.*key=${id}`));
  await page.reload();
  const { totalTokens } = await summary(`range=7d&apiKeyId=${id}&provider=${provider}`);
  expect(totalTokens).toBeGreaterThan(0);
  await expect(requests).toContainText('Requests2');
  await expect(page.getByRole('group', { name: 'Tokens', exact: true })).toContainText(`Tokens${totalTokens.toLocaleString('en')}`);
  await expect(page.getByRole('region', { name: 'By API key' }).locator('tbody').getByRole('row')).toHaveCount(1);
  await expect(filter.getByRole('combobox', { name: 'API key' })).toHaveValue(names[0] ?? '');

  await filter.getByLabel('Model').fill('nobody-has-this');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Nothing was used in this time')).toBeVisible();
  await filter.getByRole('button', { name: 'Clear' }).click();
  await expect(page).toHaveURL(/usage$/);

  // a time of one's own, of which the ranges have none
  await filter.getByLabel('From').fill('2020-01-01T00:00');
  await filter.getByLabel('Before').fill('2020-02-01T00:00');
  await filter.getByRole('button', { name: 'Apply' }).click();
  await expect(page).toHaveURL(/from=2020-01-01T00%3A00&to=2020-02-01T00%3A00/);
  await expect(page.getByText('Nothing was used in this time')).toBeVisible();
  await expect(page.getByRole('radio', { checked: true })).toHaveCount(0);
  await expectAccessible(page);
  await filter.getByLabel('Before').fill('');
  await filter.getByRole('button', { name: 'Apply' }).click();
  await expect(requests).toContainText((await summary('range=all')).totalRequests.toLocaleString('en'));
  expect(complaints).toEqual([]);
});
