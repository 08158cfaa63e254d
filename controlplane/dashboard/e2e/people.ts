import type { Browser, Page } from '@playwright/test';
import { PASSWORD, type Gateway, expect } from './gateway';
import { manage } from './manage';

/** Somebody with an account of their own, and a browser of their own. */
export type Person = { page: Page; complaints: string[]; leave: () => Promise<void> };

/** An account that the owner on `page` makes; undone by deleting it. */
export async function letIn(gateway: Gateway, page: Page, username: string, role: string): Promise<() => Promise<void>> {
  await manage(gateway, page, 'POST', '/api/accounts', { username, role, password: PASSWORD });
  return async () => {
    const { accounts } = await manage<{ accounts: { id: string; username: string }[] }>(gateway, page, 'GET', '/api/accounts');
    const id = accounts.find((account) => account.username === username)?.id;
    await manage(gateway, page, 'DELETE', `/api/accounts/${id}`);
  };
}

export async function signInAs(gateway: Gateway, browser: Browser, username: string): Promise<Person> {
  const context = await browser.newContext({ baseURL: gateway.address });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${message.text()} ${message.location().url} on ${page.url()}`);
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  const answer = await page.request.post('/api/auth/login', { data: { username, password: PASSWORD } });
  expect(answer.status()).toBe(200);
  return { page, complaints, leave: () => context.close() };
}
