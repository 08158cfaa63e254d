import AxeBuilder from '@axe-core/playwright';
import { type Cookie, type Page, test as base, expect, request } from '@playwright/test';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startIdentity } from './identity';
import { startOAuthServer } from './oauth-server';

export { expect };

export const PASSWORD = 'correct horse battery staple';
const START_TIMEOUT_MS = 60_000;

/** A running gateway: both planes and the demo provider, in a process of its own. */
export type Gateway = { address: string; demo: string };

type Worker = {
  gateway: Gateway;
  /** One session for all tests of a worker: the number of logins per minute is limited. */
  session: Cookie[];
};
type Each = {
  /** What the browser complained about: console errors, uncaught exceptions, policy violations. */
  complaints: string[];
  /** A page whose operator is signed in. */
  signedIn: Page;
};

export const test = base.extend<Each, Worker>({
  gateway: [
    async ({}, use) => {
      const port = await freePort();
      const identity = await startIdentity(await freePort(), `http://127.0.0.1:${port}`);
      const accounts = await startOAuthServer();
      const started = await startGateway({ port, env: { INITIAL_PASSWORD: PASSWORD, ...identity.env, ...accounts.env } });
      await use(started);
      await started.stop();
      await identity.stop();
      await accounts.stop();
    },
    { scope: 'worker', timeout: START_TIMEOUT_MS + 10_000 },
  ],
  session: [
    async ({ gateway }, use) => {
      const client = await request.newContext({ baseURL: gateway.address });
      const answer = await client.post('/api/auth/login', { data: { password: PASSWORD } });
      expect(answer.status()).toBe(200);
      await use((await client.storageState()).cookies);
      await client.dispose();
    },
    { scope: 'worker' },
  ],
  baseURL: async ({ gateway }, use) => use(gateway.address),
  complaints: async ({ page }, use) => {
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.exposeFunction('complain', (text: string) => complaints.push(text));
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile, lineNumber }) => {
        const complain = (window as unknown as { complain: (text: string) => void }).complain;
        complain(`${violatedDirective} forbids ${blockedURI} at ${sourceFile}:${lineNumber}`);
      });
    });
    await use(complaints);
  },
  signedIn: async ({ context, page, session }, use) => {
    await context.addCookies(session);
    await use(page);
  },
});

/** One chat completion, as a client of the gateway sends it. */
export function chat(gateway: Gateway, key: string, model: string): Promise<Response> {
  return fetch(`${gateway.address}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] }),
  });
}

/** Makes a key on its page and returns it. */
export async function createKey(page: Page, name: string): Promise<string> {
  await page.goto('/dashboard/keys');
  await page.getByRole('button', { name: 'New key' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'New API key' });
  await dialog.getByLabel('Name').fill(name);
  await dialog.getByRole('button', { name: 'Create' }).click();
  const key = await dialog.getByLabel('API key', { exact: true }).textContent();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await expect(dialog).toBeHidden();
  return key ?? '';
}

/** A write is over when the page says how far it has got. */
export async function expectApplied(page: Page, what: string): Promise<void> {
  const note = page.getByRole('alert').filter({ hasText: what });
  await expect(note).toContainText('Applied on 1 of 1 data planes.');
}

export type Started = Gateway & {
  /** What it has written to the terminal so far. */
  said: () => string;
  stop: () => Promise<void>;
};

/** A gateway with a data directory of its own, and no password but what `env` says. */
export async function startGateway({ port, env }: { port?: number; env: Record<string, string> }): Promise<Started> {
  const bin = process.env.OMNIROUTE_BIN_DIR;
  if (!bin) throw new Error('OMNIROUTE_BIN_DIR is not set: run `make test`, or set it to the directory of `omniroute`');
  const dir = await mkdtemp(join(tmpdir(), 'omniroute-browser-'));
  const listen = `127.0.0.1:${port ?? (await freePort())}`;
  const gateway = spawn(join(bin, 'omniroute'), ['--data-dir', dir, '--listen', listen], {
    env: { PATH: process.env.PATH, ALLOW_PRIVATE_PROVIDER_URLS: 'true', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [gateway.stdout, gateway.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));

  const address = `http://${listen}`;
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline && gateway.exitCode === null) {
    const ready = await fetch(`${address}/readyz`).catch(() => null);
    if (ready?.ok)
      return {
        address,
        demo: `${address}/demo/v1`,
        said: () => said,
        stop: async () => {
          await stop(gateway);
          await rm(dir, { recursive: true, force: true });
        },
      };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  gateway.kill('SIGKILL');
  throw new Error(`the gateway did not get ready; it said:\n${said}`);
}

export async function stop(gateway: ChildProcess): Promise<void> {
  if (gateway.exitCode !== null) return;
  const ended = new Promise((resolve) => gateway.once('exit', resolve));
  gateway.kill('SIGTERM');
  await ended;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

/** In light colours and in dark ones. Contrast is only what it will be once nothing fades any more. */
export async function expectAccessible(page: Page) {
  for (const colorScheme of ['light', 'dark'] as const) {
    // a note that fades away while it is looked at is too faint to read
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', colorScheme);
    // what turns for ever while something is waited for does not fade
    await page.waitForFunction(() =>
      document.getAnimations().every((animation) => animation.playState !== 'running' || animation.effect?.getTiming().iterations === Infinity),
    );
    const { violations } = await new AxeBuilder({ page }).analyze();
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
    expect(found, colorScheme).toEqual([]);
  }
}

/**
 * A page is as wide as its window: what is wider scrolls inside a box of its own. Where the window has just become
 * narrower, the frame takes a moment to give the page the room of its menu.
 */
export async function expectFits(page: Page) {
  const excess = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await expect.poll(excess, { message: 'the page scrolls sideways' }).toBeLessThanOrEqual(0);
}
