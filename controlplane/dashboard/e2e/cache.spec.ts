import { createKey, expect, expectAccessible, expectApplied, test } from './gateway';
import { manage } from './manage';

type Cache = { semanticCache: { hits: number; misses: number; dbEntries: number; tokensSaved: number } };

test('an answer that is given again is counted, and gone once the cache is cleared', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'cache test');
  const ask = async () => {
    const answer = await fetch(`${gateway.address}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'demo/demo', temperature: 0, messages: [{ role: 'user', content: 'Asked again' }] }),
    });
    expect(answer.status).toBe(200);
    return answer.headers.get('x-omniroute-cache');
  };
  const cache = async () => (await manage<Cache>(gateway, page, 'GET', '/api/cache')).semanticCache;
  expect([await ask(), await ask()]).toEqual(['MISS', 'HIT']);
  await expect.poll(async () => (await cache()).hits).toBeGreaterThan(0);

  await page.getByRole('link', { name: 'Cache', exact: true }).click();
  const figure = (name: string) => page.getByRole('group', { name, exact: true });
  const { hits, misses, dbEntries, tokensSaved } = await cache();
  await expect(figure('Hits')).toContainText(`${hits}`);
  await expect(figure('Misses')).toContainText(`${misses}`);
  await expect(figure('Size')).toContainText(`${dbEntries}`);
  await expect(figure('Tokens saved')).toContainText(`${tokensSaved}`);

  await page.getByRole('button', { name: 'Clear everything' }).click();
  const dialog = page.getByRole('dialog', { name: 'Clear everything?' });
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Keep it' }).click();
  await expect(dialog).toBeHidden();
  expect(await ask()).toBe('HIT');

  await page.getByRole('button', { name: 'Clear everything' }).click();
  await dialog.getByRole('button', { name: 'Clear' }).click();
  await expectApplied(page, 'Cache cleared');
  await expect(figure('Size')).toContainText('0');
  await expect(page.getByText('Nothing was looked up yet')).toBeVisible();
  expect(await ask()).toBe('MISS');
  expect(complaints).toEqual([]);
});
