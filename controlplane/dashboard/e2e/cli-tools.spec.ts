import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PASSWORD, createKey, expect, expectAccessible, expectFits, startGateway, test } from './gateway';
import { manage } from './manage';

type Tool = { toolId: string; command: string | null; configPath: string | null; reason: string };

test('every tool that the management API knows is there, with what is known of it', async ({ complaints, gateway, signedIn: page }) => {
  await page.goto('/dashboard/');
  await page.getByRole('link', { name: 'CLI tools', exact: true }).click();
  const { tools } = await manage<{ tools: Record<string, Tool> }>(gateway, page, 'GET', '/api/cli-tools/status');
  const cards = page.getByRole('button', { name: /^Set up / });
  await expect(cards).toHaveCount(Object.keys(tools).length);
  for (const { command, configPath, reason } of Object.values(tools)) {
    const card = page.getByRole('main').locator('section').filter({ hasText: configPath ?? 'entered by hand' }).filter({ hasText: command ?? 'Part of an editor' });
    await expect(card).toContainText(reason === 'remote_control_plane' ? 'not looked for' : 'nothing to install');
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await expectFits(page);
  expect(complaints).toEqual([]);
});

test('the script for Claude Code keeps what was there, and what it writes reaches the gateway', async ({ complaints, gateway, signedIn: page }) => {
  const home = await mkdtemp(join(tmpdir(), 'omniroute-home-'));
  await mkdir(join(home, '.claude'));
  const settings = join(home, '.claude', 'settings.json');
  await writeFile(settings, JSON.stringify({ theme: 'dark', env: { OTHER: 'kept' } }));

  await page.goto('/dashboard/cli-tools');
  await page.getByRole('button', { name: 'Set up Claude Code' }).click();
  const dialog = page.getByRole('dialog', { name: 'Set up Claude Code' });
  await expect(dialog.getByLabel('Address of this gateway')).toHaveValue(gateway.address);
  await dialog.getByRole('button', { name: 'Make the script' }).click();
  await expect(dialog.getByText('Paste a key, or make one')).toBeVisible();
  await dialog.getByRole('button', { name: 'Make a key' }).click();
  await expect(dialog.getByText('The new key is called Claude Code.')).toBeVisible();
  await dialog.getByRole('combobox', { name: 'Model, in place of Sonnet' }).fill('demo/de');
  await page.getByRole('option', { name: 'demo/demo', exact: true }).click();
  await dialog.getByRole('button', { name: 'Make the script' }).click();
  const script = (await dialog.getByLabel('Shell script', { exact: true }).textContent()) ?? '';
  await expectAccessible(page);
  await promisify(execFile)('sh', ['-c', script], { env: { PATH: process.env.PATH, HOME: home } });

  type Written = { theme: string; env: Record<string, string> };
  const { theme, env } = JSON.parse(await readFile(settings, 'utf8')) as Written;
  expect({ theme, other: env.OTHER }).toEqual({ theme: 'dark', other: 'kept' });
  const answer = await fetch(`${env.ANTHROPIC_BASE_URL}/v1/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${env.ANTHROPIC_AUTH_TOKEN}`, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    body: JSON.stringify({ model: env.ANTHROPIC_DEFAULT_HAIKU_MODEL, max_tokens: 50, messages: [{ role: 'user', content: 'Hello' }] }),
  });
  expect(answer.status).toBe(200);

  await dialog.getByRole('tab', { name: 'By hand' }).click();
  const merge = JSON.parse((await dialog.getByLabel('Settings for ~/.claude/settings.json', { exact: true }).textContent()) ?? '') as Written;
  expect(env).toMatchObject(merge.env);
  await dialog.getByRole('tab', { name: 'Windows' }).click();
  await expect(dialog.getByLabel('PowerShell script', { exact: true })).toContainText('$ErrorActionPreference');
  await rm(home, { recursive: true });
  expect(complaints).toEqual([]);
});

for (const [toolId, name, path] of [
  ['codex', 'Codex', '~/.codex/config.toml'],
  ['droid', 'Droid', '~/.factory/settings.json'],
  ['openclaw', 'OpenClaw', '~/.openclaw/openclaw.json'],
] as const) {
  test(`the settings for ${name} are what the management API makes of the same answers`, async ({ complaints, gateway, signedIn: page }) => {
    const key = await createKey(page, `for ${toolId}`);
    await page.goto('/dashboard/cli-tools');
    await page.getByRole('button', { name: `Set up ${name}` }).click();
    const dialog = page.getByRole('dialog', { name: `Set up ${name}` });
    await dialog.getByLabel('API key', { exact: true }).fill(key);
    await dialog.getByRole('combobox', { name: 'Model' }).fill('demo/de');
    await page.getByRole('option', { name: 'demo/demo', exact: true }).click();
    await dialog.getByRole('button', { name: 'Make the script' }).click();
    await dialog.getByRole('tab', { name: 'By hand' }).click();
    type Files = { files: { path: string; merge: object }[] };
    const body = { baseUrl: gateway.address, apiKey: key, model: 'demo/demo' };
    const { files } = await manage<Files>(gateway, page, 'POST', `/api/cli-tools/${toolId}-settings`, body);
    expect(files.map((file) => file.path)).toContain(path);
    for (const file of files) {
      const shown = await dialog.getByLabel(`Settings for ${file.path}`, { exact: true }).textContent();
      expect(JSON.parse(shown ?? '')).toEqual(file.merge);
    }
    expect(complaints).toEqual([]);
  });
}

test('a tool that is set up by hand is told what to enter', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'for Cursor');
  await page.goto('/dashboard/cli-tools');
  await page.getByRole('button', { name: 'Set up Cursor' }).click();
  const dialog = page.getByRole('dialog', { name: 'Set up Cursor' });
  await dialog.getByLabel('API key', { exact: true }).fill(key);
  await dialog.getByRole('combobox', { name: 'Model' }).fill('demo/de');
  await page.getByRole('option', { name: 'demo/demo', exact: true }).click();
  await dialog.getByRole('button', { name: 'Show the settings' }).click();
  await expect(dialog.getByLabel('Base URL', { exact: true })).toHaveText(`${gateway.address}/v1`);
  await expect(dialog.getByLabel('API key', { exact: true })).toHaveText(key);
  await expect(dialog.getByLabel('Model', { exact: true })).toHaveText('demo/demo');
  await expectAccessible(page);
  expect(complaints).toEqual([]);
});

test('a key that exists is put into the settings where copies are kept, and where they are not the page says so', async ({ gateway, page, session }) => {
  const keeping = await startGateway({ env: { INITIAL_PASSWORD: PASSWORD, API_KEY_REVEAL: 'true' } });
  for (const { address, keeps } of [
    { address: keeping.address, keeps: true },
    { address: gateway.address, keeps: false },
  ]) {
    if (keeps) await manage({ address, demo: '' }, page, 'POST', `${address}/api/auth/login`, { password: PASSWORD });
    else await page.context().addCookies(session);
    const { key } = await manage<{ key: string }>({ address, demo: '' }, page, 'POST', `${address}/api/keys`, { name: 'kept for tools' });
    await page.goto(`${address}/dashboard/cli-tools`);
    await page.getByRole('button', { name: 'Set up Codex' }).click();
    const dialog = page.getByRole('dialog', { name: 'Set up Codex' });
    const picked = dialog.getByRole('combobox', { name: 'A key that exists' });
    await picked.fill('kept for tools');
    await page.getByRole('option', { name: 'kept for tools' }).first().click();
    if (!keeps) {
      await expect(picked).toHaveAccessibleDescription(/start the control plane with API_KEY_REVEAL=true/);
      await expect(dialog.getByLabel('API key', { exact: true })).toHaveValue('');
      continue;
    }
    await expect(dialog.getByLabel('API key', { exact: true })).toHaveValue(key);
    await dialog.getByRole('combobox', { name: 'Model' }).fill('demo/de');
    await page.getByRole('option', { name: 'demo/demo', exact: true }).click();
    await dialog.getByRole('button', { name: 'Make the script' }).click();
    await expect(dialog.getByLabel('Shell script', { exact: true })).toContainText(key);
    await expectAccessible(page);
  }
  await keeping.stop();
});
