import { chat, createKey, expect, expectAccessible, expectApplied, test } from './gateway';
import { connect, disconnect, forgiveNothing, manage } from './manage';

type Limits = { connections: { connectionId: string; name: string; enabled: boolean; active: boolean; done: number; cooldownUntil: string | null }[] };
type Sessions = { count: number; sessions: { sessionId: string; requestCount: number }[] };

test('an account is protected, and its requests are counted', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'limits test');
  const account = async () => {
    const { connections } = await manage<Limits>(gateway, page, 'GET', '/api/rate-limits');
    return connections.find(({ name }) => name === 'demo');
  };
  await page.getByRole('link', { name: 'Limits', exact: true }).click();
  const row = page.getByRole('region', { name: 'Accounts' }).getByRole('row').filter({ hasText: 'demo' });
  await expect(row).toContainText('not paced');
  await row.getByRole('switch', { name: 'demo protected' }).press('Space');
  await expectApplied(page, 'demo protected');
  await expect(page.getByRole('region', { name: 'Pace' })).toContainText('Protected accounts: 1. Each gets 100 requests per minute');

  for (let sent = 0; sent < 2; sent += 1) expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  await expect.poll(async () => (await account())?.done).toBe(2);
  await expect(row).toContainText('0 running, 0 waiting');
  await expect(row).toContainText('2 done');

  await row.getByRole('switch', { name: 'demo protected' }).press('Space');
  await expectApplied(page, 'demo no longer protected');
  expect((await account())?.enabled).toBe(false);
  expect(complaints).toEqual([]);
});

test('an account that failed rests until a moment that the page names', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'cooldown test');
  const forgive = await forgiveNothing(gateway, page);
  const id = await connect(gateway, page, 'exhausted', 'http://127.0.0.1:9/v1');
  expect((await chat(gateway, key, 'openai/gpt-4o')).status).toBe(502);
  const until = async () => {
    const { connections } = await manage<Limits>(gateway, page, 'GET', '/api/rate-limits');
    return connections.find(({ connectionId }) => connectionId === id)?.cooldownUntil;
  };
  await expect.poll(until).toBeTruthy();

  await page.getByRole('link', { name: 'Limits', exact: true }).click();
  const row = page.getByRole('region', { name: 'Accounts' }).getByRole('row').filter({ hasText: 'exhausted' });
  const moment = await page.evaluate(
    (timestamp) => new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(timestamp)),
    `${await until()}`,
  );
  await expect(row).toContainText(`until ${moment}`);
  await manage(gateway, page, 'POST', '/api/resilience/reset', { provider: 'openai' });
  await expect(row).not.toContainText('until');
  await expect(row).toContainText('none');
  await disconnect(gateway, page, id);
  await forgive();
  expect(complaints).toEqual([]);
});

test('a conversation that its client names is listed with its key', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'talkative');
  const say = (content: string) =>
    fetch(`${gateway.address}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-session-id': 'a talk' },
      body: JSON.stringify({ model: 'demo/demo', messages: [{ role: 'user', content }] }),
    });
  expect([(await say('Hello')).status, (await say('More')).status]).toEqual([200, 200]);
  const sessions = () => manage<Sessions>(gateway, page, 'GET', '/api/sessions');
  await expect.poll(async () => (await sessions()).sessions[0]?.requestCount).toBe(2);

  await page.getByRole('link', { name: 'Limits', exact: true }).click();
  const { count, sessions: listed } = await sessions();
  const section = page.getByRole('region', { name: 'Conversations' });
  const row = section.getByRole('row').filter({ hasText: listed[0]?.sessionId });
  await expect(row.getByRole('cell').nth(1)).toHaveText('talkative');
  await expect(row.getByRole('cell').nth(2)).toHaveText('demo/demo');
  await expect(row.getByRole('cell').nth(3)).toHaveText('2');
  await expect(section).toContainText(`Conversations: ${count} of at most`);
  await expectAccessible(page);
  expect(complaints).toEqual([]);
});
