import type { Page } from '@playwright/test';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PASSWORD, type Started, expect, expectAccessible, expectFits, startGateway, test as base } from './gateway';
import { manage } from './manage';

type Request = { id: string; duration: number; tokens: { in: number; out: number }; apiKeyName: string; status: number };
type Connection = { id: string; name: string; provider: string; testStatus: string };

/** Nothing has happened on it yet: every test starts one of its own. */
const test = base.extend<{ drawsPassword: boolean; fresh: Started }>({
  drawsPassword: [false, { option: true }],
  fresh: async ({ drawsPassword }, use) => {
    const fresh = await startGateway({ env: drawsPassword ? {} : { INITIAL_PASSWORD: PASSWORD } });
    await use(fresh);
    await fresh.stop();
  },
  baseURL: async ({ fresh }, use) => use(fresh.address),
});

async function signIn(page: Page, password: string) {
  await page.getByRole('textbox', { name: 'Password' }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

const step = (page: Page, label: string) => page.getByRole('button', { name: new RegExp(`^Step . of .: ${label}$`) });

test.describe('with a password that the gateway drew', () => {
  test.use({ drawsPassword: true });

  test('the wizard leads from the printed password to the first request', async ({ complaints, fresh, page }) => {
    const printed = /password +(\S+)/.exec(fresh.said())?.[1] ?? '';
    await page.goto('/dashboard/');
    await signIn(page, printed);

    // it opens by itself, at the password
    await expect(page.getByRole('heading', { name: 'Set up', level: 1 })).toBeVisible();
    await expect(step(page, 'Password')).toHaveAttribute('aria-current', 'step');
    await expectAccessible(page);
    await page.getByLabel('Printed password', { exact: true }).fill('not what was printed');
    await page.getByLabel('New password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Change it' }).click();
    await expect(page.getByLabel('Printed password', { exact: true })).toHaveAccessibleDescription(/password/i);
    await page.getByLabel('Printed password', { exact: true }).fill(printed);
    await page.keyboard.press('Enter');

    await expect(page.getByRole('heading', { name: 'Somebody to ask' })).toBeVisible();
    expect((await page.request.post('/api/auth/login', { data: { password: printed } })).status()).toBe(401);
    await manage(fresh, page, 'POST', '/api/auth/login', { password: PASSWORD });
    await expect(page.getByRole('button', { name: 'Continue' })).toBeDisabled();
    await page.getByRole('button', { name: 'Use the demo provider' }).click();
    const outcome = page.getByRole('status').filter({ hasText: 'demo works' });
    await expect(outcome).toContainText(/It took \d+ ms, HTTP 200/);
    const { connections } = await manage<{ connections: Connection[] }>(fresh, page, 'GET', '/api/providers');
    expect(connections).toMatchObject([{ name: 'demo', testStatus: 'active' }]);
    const { models } = await manage<{ models: { id: string }[] }>(fresh, page, 'GET', `/api/providers/${connections[0]?.id}/models`);
    await expect(outcome).toContainText(models.length === 1 ? '1 model' : `${models.length} models`);
    for (const { id } of models) await expect(outcome).toContainText(`demo/${id}`);
    await page.getByRole('button', { name: 'Continue' }).click();

    await expect(page.getByRole('heading', { name: 'A key for your clients' })).toBeVisible();
    await page.getByLabel('Name').fill('wizard test');
    await page.getByRole('button', { name: 'Make a key' }).click();
    const key = (await page.getByLabel('API key', { exact: true }).textContent()) ?? '';
    for (const name of ['Python', 'JavaScript', 'Claude Code', 'Cursor']) {
      await page.getByRole('tab', { name }).click();
      await expect(page.getByLabel(`${name} snippet`, { exact: true })).toContainText(key);
      await expect(page.getByLabel(`${name} snippet`, { exact: true })).toContainText(fresh.address);
    }
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Continue' }).click();

    await expect(page.getByRole('status').filter({ hasText: 'Waiting for a request with the key wizard test.' })).toBeVisible();
    // what a person does: paste the command into a terminal
    const command = (await page.getByLabel('curl command', { exact: true }).textContent()) ?? '';
    const { stdout } = await promisify(execFile)('sh', ['-c', command]);
    expect(JSON.parse(stdout)).toMatchObject({ object: 'chat.completion' });
    const arrived = page.getByRole('status').filter({ hasText: 'Your first request has arrived' });
    await expect(arrived).toBeVisible();
    const [request] = await manage<Request[]>(fresh, page, 'GET', '/api/usage/request-logs?format=json');
    expect(request).toMatchObject({ apiKeyName: 'wizard test', status: 200 });
    await expect(arrived).toContainText(`${request?.tokens.in} tokens in, ${request?.tokens.out} out`);
    await expect(arrived).toContainText(`answered by demo in ${request?.duration} ms`);
    const decision = page.getByRole('region', { name: 'Decision' });
    await expect(decision.getByRole('row').filter({ hasText: 'demo/demo' })).toContainText('first choice');
    await expectAccessible(page);
    await page.setViewportSize({ width: 390, height: 844 });
    await expectFits(page);

    // the refusal of the wrong password was asked for, and so is the browser's remark about it
    expect(complaints.filter((complaint) => !complaint.includes('401'))).toEqual([]);
  });
});

test('the wizard can be skipped, does not come back by itself, and goes on where one left', async ({ complaints, fresh, page }) => {
  await page.goto('/dashboard/');
  await signIn(page, PASSWORD);
  await expect(page.getByRole('heading', { name: 'Set up', level: 1 })).toBeVisible();
  await expect(step(page, 'Password')).toHaveCount(0);
  await expect(step(page, 'Provider')).toHaveAttribute('aria-current', 'step');
  await page.getByRole('button', { name: 'Skip for now' }).click();
  await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible();

  await page.getByRole('button', { name: 'Sign out' }).click();
  await signIn(page, PASSWORD);
  await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('region', { name: 'Set up' }).getByRole('link', { name: 'Set up' }).click();
  await step(page, 'Key').click();
  await page.reload();
  await expect(step(page, 'Key')).toHaveAttribute('aria-current', 'step');
  await expect(page.getByLabel('curl command', { exact: true })).toContainText('$OMNIROUTE_KEY');

  // without a key of this visit, any request is the one that is waited for
  await page.getByLabel('Name').fill('sends from here');
  await page.getByRole('button', { name: 'Make a key' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('button', { name: 'Send one from here' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Your first request has arrived' })).toBeVisible();
  await page.getByRole('button', { name: 'To the overview' }).click();
  await expect(page.getByRole('region', { name: 'Set up' })).toHaveCount(0);
  const requests = await manage<Request[]>(fresh, page, 'GET', '/api/usage/request-logs?format=json');
  expect(requests).toMatchObject([{ apiKeyName: 'sends from here' }]);
  expect(complaints).toEqual([]);
});

test('a provider that does not answer is said to, and can be tried again', async ({ complaints, fresh, page }) => {
  await manage(fresh, page, 'POST', '/api/auth/login', { password: PASSWORD });
  const body = { name: 'Quiet server', prefix: 'quiet', type: 'openai-compatible', apiType: 'chat', baseUrl: 'http://127.0.0.1:9/v1', allowPrivateAddress: true };
  const { node } = await manage<{ node: { id: string } }>(fresh, page, 'POST', '/api/provider-nodes', body);
  await page.goto('/dashboard/setup?step=provider');
  const form = page.getByRole('form', { name: 'Provider' });
  await form.getByRole('button', { name: 'Connect and test' }).click();
  await expect(form.getByText('Choose who the key belongs to')).toBeVisible();
  await form.getByRole('combobox', { name: 'Provider' }).fill('Quiet');
  await page.getByRole('option', { name: 'Quiet server' }).click();
  await form.getByLabel('Key', { exact: true }).fill('some key');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('status').filter({ hasText: 'is stored, and does not work' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Continue' })).toBeDisabled();
  await expectAccessible(page);

  await manage(fresh, page, 'PATCH', `/api/provider-nodes/${node.id}?wait=applied`, { baseUrl: fresh.demo });
  await form.getByRole('button', { name: 'Connect and test' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'first account works' })).toContainText('quiet/demo');
  const { connections } = await manage<{ connections: Connection[] }>(fresh, page, 'GET', '/api/providers');
  expect(connections.filter(({ provider }) => provider === node.id)).toMatchObject([{ name: 'first account', testStatus: 'active' }]);
  await expect(page.getByRole('button', { name: 'Continue' })).toBeEnabled();
  expect(complaints).toEqual([]);
});
