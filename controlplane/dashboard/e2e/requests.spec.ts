import { readFile } from 'node:fs/promises';
import { chat, createKey, expect, expectAccessible, expectApplied, expectFits, test } from './gateway';
import { connect, disconnect, forgiveNothing, manage } from './manage';

type Request = { id: string; status: number; duration: number; tokens: { in: number; out: number }; attempts: unknown[]; cost: number | null };
type Explanation = { decision: { candidates: { verdict: string; connectionName: string; rank: number | null }[] } };

const logged = (key: string) => `/api/usage/request-logs?format=json&apiKey=${encodeURIComponent(key)}`;

test('a request is opened from its row and says what it took, as the management API does', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'one request');
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  const requests = () => manage<Request[]>(gateway, page, 'GET', logged('one request'));
  await expect.poll(async () => (await requests()).length).toBe(1);
  const [request] = await requests();

  await page.getByRole('link', { name: 'Requests', exact: true }).click();
  await page.getByRole('row').filter({ hasText: 'one request' }).getByRole('link').click();
  await expect(page).toHaveURL(new RegExp(`/requests/${request?.id}$`));
  await expect(page.getByRole('group', { name: 'Status' })).toContainText('200');
  await expect(page.getByRole('group', { name: 'Tokens' })).toContainText(`${request?.tokens.in} in, ${request?.tokens.out} out`);
  await expect(page.getByRole('group', { name: 'Took' })).toContainText(`${request?.duration} ms`);
  await expect(page.getByRole('group', { name: 'Cost' })).toContainText(request?.cost == null ? 'unknown' : `${request.cost}`);
  const decision = page.getByRole('region', { name: 'Decision' });
  await expect(decision.getByRole('row').filter({ hasText: 'demo/demo' })).toContainText('first choice');
  await expect(decision).toContainText('Deciding again from the record gives the same.');
  const attempts = page.getByRole('region', { name: 'Attempts' });
  await expect(attempts.getByRole('row')).toHaveCount(1 + (request?.attempts.length ?? 0));
  await expect(attempts).toContainText('ok, 200');
  await expectAccessible(page);

  await page.getByRole('link', { name: 'All requests' }).click();
  await expect(page.getByRole('heading', { name: 'Requests', level: 1 })).toBeVisible();
  expect(complaints).toEqual([]);
});

test('a translated request says what its provider got otherwise, as the translator does', async ({ gateway, signedIn: page }) => {
  const key = await createKey(page, 'translated');
  const said = { model: 'demo/demo', max_tokens: 64, top_k: 5, messages: [{ role: 'user', content: 'Hello' }] };
  const answer = await fetch(`${gateway.address}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    body: JSON.stringify(said),
  });
  expect(answer.status).toBe(200);
  await answer.text();
  const requests = () => manage<Request[]>(gateway, page, 'GET', logged('translated'));
  await expect.poll(async () => (await requests()).length).toBe(1);
  const [request] = await requests();
  const { notes } = await manage<{ notes: { severity: string; field: string; detail: string }[] }>(gateway, page, 'POST', '/api/translator/translate', {
    body: said,
    sourceFormat: 'anthropic_messages',
    targetFormat: 'openai_chat',
  });
  expect(notes).toContainEqual(expect.objectContaining({ severity: 'loss', field: 'top_k' }));

  await page.goto(`/dashboard/requests/${request?.id}`);
  const translation = page.getByRole('region', { name: 'Translation' });
  for (const { field, detail } of notes) await expect(translation).toContainText(`${field}: ${detail}`);
  await expect(translation).toContainText('lost');
  await expectAccessible(page);
});

test('a request that nobody answered says who was passed over and why', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'passed over');
  const forgive = await forgiveNothing(gateway, page);
  const id = await connect(gateway, page, 'broken account', 'http://127.0.0.1:9/v1');
  expect((await chat(gateway, key, 'openai/gpt-4o')).status).toBe(502);
  expect((await chat(gateway, key, 'openai/gpt-4o')).status).toBe(503);
  await expect.poll(async () => (await manage<Request[]>(gateway, page, 'GET', logged('passed over'))).length).toBe(2);

  await page.goto('/dashboard/requests?status=503&key=passed+over');
  const row = page.getByRole('row').filter({ hasText: 'openai/gpt-4o' });
  await expect(row).toHaveCount(1);
  await expect(row).toContainText('nobody');
  await row.getByRole('link').click();
  const candidate = page.getByRole('region', { name: 'Decision' }).getByRole('row').filter({ hasText: 'broken account' });
  await expect(candidate).toContainText('passed over: its provider failed again and again');
  await expect(candidate).toContainText('until');
  await expect(page.getByRole('region', { name: 'Attempts' })).toContainText('No provider was called.');
  const explained = await manage<Explanation>(gateway, page, 'GET', `/api/explain/${new URL(page.url()).pathname.split('/').at(-1)}`);
  expect(explained.decision.candidates).toMatchObject([{ verdict: 'breaker-open', connectionName: 'broken account', rank: null }]);
  await expectAccessible(page);

  await manage(gateway, page, 'POST', '/api/resilience/reset', { provider: 'openai' });
  await disconnect(gateway, page, id);
  await forgive();
  expect(complaints).toEqual([]);
});

test('requests are found by status, model and key, and the finding can be passed on', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'filtered');
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  expect((await chat(gateway, key, 'nobody/has-this')).status).toBe(400);
  await expect.poll(async () => (await manage<Request[]>(gateway, page, 'GET', logged('filtered'))).length).toBe(2);

  await page.getByRole('link', { name: 'Requests', exact: true }).click();
  const filter = page.getByRole('search', { name: 'Filter' });
  await filter.getByLabel('API key').fill('filtered');
  await page.keyboard.press('Enter');
  const links = page.getByRole('main').getByRole('table').getByRole('link');
  await expect(links).toHaveCount(2);
  await filter.getByRole('combobox', { name: 'Status' }).click();
  await page.getByRole('option', { name: 'failed' }).click();
  await filter.getByRole('button', { name: 'Apply' }).click();
  await expect(links).toHaveCount(1);
  await expect(page).toHaveURL(/status=error&key=filtered/);
  await page.reload();
  await expect(page.getByRole('row').filter({ hasText: 'nobody/has-this' })).toContainText('400');
  await expect(links).toHaveCount(1);

  await filter.getByLabel('Model').fill('demo');
  await filter.getByRole('button', { name: 'Apply' }).click();
  await expect(page.getByText('No request fits')).toBeVisible();
  await filter.getByRole('button', { name: 'Clear' }).click();
  await expect(page).not.toHaveURL(/status=/);
  expect(complaints).toEqual([]);
});

test('live, the log shows what arrives, stands still when it is told to, and asks nobody while nobody looks', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'live log');
  const accounted = async () => (await manage<Request[]>(gateway, page, 'GET', logged('live log'))).length;
  await page.goto('/dashboard/requests?key=live+log');
  await expect(page.getByText('No request fits')).toBeVisible();
  const links = page.getByRole('main').getByRole('table').getByRole('link');
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  await expect(links).toHaveCount(1);

  let asked = 0;
  page.on('request', (request) => (asked += Number(request.url().includes('/api/usage/request-logs'))));
  await page.getByRole('switch', { name: 'Live' }).press('Space');
  await expect(page.getByRole('status').filter({ hasText: 'Stands still.' })).toBeVisible();
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  await expect.poll(accounted).toBe(2);
  await page.getByRole('switch', { name: 'Live' }).press('Space');
  await expect(links).toHaveCount(2);

  const show = (state: 'hidden' | 'visible') =>
    page.evaluate((state) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    }, state);
  // what the browser's clock does is what the page waits for: three polls' time passes at once
  await page.clock.install();
  await page.reload();
  await expect(links).toHaveCount(2);
  await show('hidden');
  await page.clock.runFor(1);
  asked = 0;
  await page.clock.runFor(6_500);
  expect(asked).toBe(0);
  await show('visible');
  await page.clock.runFor(2_500);
  await expect.poll(() => asked).toBeGreaterThan(0);
  await expectAccessible(page);
  expect(complaints).toEqual([]);
});

test('older requests are on further pages, all of them once, in the order of the management API', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'many pages');
  const total = 53;
  for (let sent = 0; sent < total; sent += 1) expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  const all = () => manage<Request[]>(gateway, page, 'GET', logged('many pages'));
  await expect.poll(async () => (await all()).length, { timeout: 60_000 }).toBe(total);
  const ids = (await all()).map((request) => request.id);

  await page.goto('/dashboard/requests?key=many+pages');
  const links = page.getByRole('main').getByRole('table').getByRole('link');
  const shown = () => links.evaluateAll((found) => found.map((link) => link.getAttribute('href')?.split('/').at(-1)));
  await expect(links).toHaveCount(50);
  expect(await shown()).toEqual(ids.slice(0, 50));
  const pages = page.getByRole('navigation', { name: 'Pages' });
  await expect(pages.getByRole('button', { name: 'Newest' })).toBeDisabled();
  await pages.getByRole('link', { name: 'Older' }).click();
  await expect(links).toHaveCount(3);
  expect(await shown()).toEqual(ids.slice(50));
  await expect(pages.getByRole('button', { name: 'Older' })).toBeDisabled();
  await expect(page.getByRole('switch', { name: 'Live' })).toBeDisabled();

  // the page is in the address, and the filter stays
  await page.reload();
  await expect(links).toHaveCount(3);
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectFits(page);
  await pages.getByRole('link', { name: 'Newest' }).click();
  await expect(links).toHaveCount(50);
  await expect(page).toHaveURL(/key=many\+pages$/);
  expect(complaints).toEqual([]);
});

test('what was said is kept once an administrator asks for it, is read as text, and who read it is on record', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'kept bodies');
  await page.goto('/dashboard/settings');
  const group = page.getByRole('region', { name: 'Bodies of requests', exact: true });
  await expect(group.getByRole('switch', { name: 'Keep bodies' })).not.toBeChecked();
  await group.getByRole('switch', { name: 'Keep bodies' }).press('Space');
  await group.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'Bodies of requests saved');

  const content = 'Say <img src="x"> with Bearer sk-live-123';
  const answer = await fetch(`${gateway.address}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'demo/demo', messages: [{ role: 'user', content }] }),
  });
  const said = ((await answer.json()) as { id: string }).id;
  await expect.poll(async () => (await manage<Request[]>(gateway, page, 'GET', logged('kept bodies'))).length).toBe(1);

  await page.goto('/dashboard/requests?key=kept+bodies');
  await page.getByRole('main').getByRole('table').getByRole('link').click();
  const bodies = page.getByRole('region', { name: 'Bodies', exact: true });
  await expect(bodies.getByRole('button', { name: 'Show what was sent and answered' })).toBeVisible();
  await expect(bodies).not.toContainText('Bearer');
  const audited = () => manage<{ target?: unknown }[]>(gateway, page, 'GET', '/api/compliance/audit-log?action=usage.body.read');
  expect(await audited()).toHaveLength(0);
  await bodies.getByRole('button', { name: 'Show what was sent and answered' }).click();
  const sent = bodies.getByRole('region', { name: 'Sent by the client' });
  await expect(sent).toContainText('Bearer [redacted]');
  await expect(sent).toContainText('<img src=');
  await expect(sent.locator('img')).toHaveCount(0);
  await expect(bodies.getByRole('region', { name: 'Answered to the client' })).toContainText(said);
  expect(await audited()).toHaveLength(1);
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectFits(page);

  await manage(gateway, page, 'PATCH', '/api/settings?wait=applied', { captureBodies: false });
  expect(complaints).toEqual([]);
});

test('the log is told of requests, and looks for them by itself where it is not', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'told log');
  let asked = 0;
  page.on('request', (request) => (asked += Number(request.url().includes('/api/usage/request-logs'))));
  await page.goto('/dashboard/requests?key=told+log');
  await expect(page.getByRole('status').filter({ hasText: 'New ones appear as they are accounted.' })).toBeVisible();
  await expect(page.getByText('No request fits')).toBeVisible();
  const links = page.getByRole('main').getByRole('table').getByRole('link');
  // three polls' time passes at once, and nobody was told anything
  await page.clock.install();
  await page.reload();
  await expect(page.getByRole('status').filter({ hasText: 'New ones appear as they are accounted.' })).toBeVisible();
  await page.clock.runFor(1_000);
  await expect(page.getByText('No request fits')).toBeVisible();
  asked = 0;
  await page.clock.runFor(6_500);
  expect(asked).toBe(0);
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  await expect.poll(async () => {
    await page.clock.runFor(250);
    return links.count();
  }).toBe(1);

  await page.route('**/api/usage/stream*', (route) => route.fulfill({ status: 503, body: '' }));
  await page.reload();
  await expect(page.getByRole('status').filter({ hasText: 'New ones are looked for every' })).toBeVisible();
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  await expect.poll(async () => {
    await page.clock.runFor(2_100);
    return links.count();
  }).toBe(2);
  await page.unroute('**/api/usage/stream*');
  expect(complaints.filter((complaint) => !complaint.includes('503'))).toEqual([]);
});

test('what is shown is exported with its filter, as a table or as JSON', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'exported');
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  expect((await chat(gateway, key, 'nobody/has-this')).status).toBe(400);
  await expect.poll(async () => (await manage<Request[]>(gateway, page, 'GET', logged('exported'))).length).toBe(2);
  await page.goto('/dashboard/requests?status=ok&key=exported');
  const save = async (choice: string) => {
    await page.getByRole('button', { name: 'Export' }).click();
    const downloading = page.waitForEvent('download');
    await page.getByRole('menuitem', { name: choice }).click();
    const download = await downloading;
    return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') };
  };
  const table = await save('The last 24 hours, as a table (CSV)');
  expect(table.name).toMatch(/^omniroute-requests-.*\.csv$/);
  expect(table.text.trim().split('\r\n')).toHaveLength(2);
  expect(table.text).toContain('demo/demo');
  const json = await save('The last 7 days, as JSON');
  expect(json.name).toMatch(/\.json$/);
  expect(JSON.parse(json.text)).toMatchObject([{ requestedModel: 'demo/demo', apiKeyName: 'exported' }]);
  await expectAccessible(page);
  expect(complaints).toEqual([]);
});
