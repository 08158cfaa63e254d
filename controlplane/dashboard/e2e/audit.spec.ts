import { createKey, expect, expectAccessible, test } from './gateway';
import { manage } from './manage';

type Entry = { id: number; action: string; actor: string; target: string; status: string; details: { name: string }; configRevision: number };

test('what was done is found by its action, opened, and the finding can be passed on', async ({ complaints, gateway, signedIn: page }) => {
  await createKey(page, 'to be audited');
  await page.getByRole('link', { name: 'Audit log', exact: true }).click();
  const filter = page.getByRole('search', { name: 'Filter' });
  await filter.getByLabel('Action').fill('apiKey.created');
  await filter.getByLabel('Actor').fill('admin');
  await filter.getByRole('combobox', { name: 'Outcome' }).click();
  await page.getByRole('option', { name: 'success' }).click();
  await page.keyboard.press('Tab');
  await filter.getByRole('button', { name: 'Apply' }).click();
  await expect(page).toHaveURL(/action=apiKey\.created&actor=admin&outcome=success/);

  const path = '/api/compliance/audit-log?action=apiKey.created&actor=admin&status=success&limit=50';
  const entries = await manage<Entry[]>(gateway, page, 'GET', path);
  const [newest] = entries;
  await expect(page.getByRole('button', { name: /^Details of entry/ })).toHaveCount(entries.length);
  const row = page.getByRole('row').filter({ hasText: newest?.target });
  await expect(row).toContainText('success');
  await row.getByRole('button', { name: `Details of entry ${newest?.id}` }).click();
  await expect(page.getByText(`the configuration became revision ${newest?.configRevision}`)).toBeVisible();
  await expect(page.getByLabel(`What entry ${newest?.id} says`)).toContainText('"name": "to be audited"');
  await expectAccessible(page);

  await page.reload();
  await expect(page.getByRole('button', { name: /^Details of entry/ })).toHaveCount(entries.length);
  await expect(filter.getByLabel('Action')).toHaveValue('apiKey.created');
  await filter.getByLabel('Before').fill('2020-01-01T00:00');
  await filter.getByRole('button', { name: 'Apply' }).click();
  await expect(page.getByText('Nothing fits')).toBeVisible();
  await filter.getByRole('button', { name: 'Clear' }).click();
  await expect(page).not.toHaveURL(/action=|to=/);
  await expect(row).toBeVisible();
  expect(complaints).toEqual([]);
});

test('a login that was refused is there, and older pages come one after the other', async ({ complaints, gateway, signedIn: page }) => {
  await page.request.post('/api/auth/login', { data: { username: 'mallory', password: 'not the password' }, headers: { origin: gateway.address } });
  // more than a page of entries
  for (let made = 0; made < 60; made += 1) await manage(gateway, page, 'POST', '/api/resilience/reset', { provider: `none-${made}` });
  await page.goto('/dashboard/audit?action=resilience.reset');
  const details = page.getByRole('button', { name: /^Details of entry/ });
  await expect(details).toHaveCount(50);
  await page.getByRole('button', { name: 'Show older' }).click();
  const entries = await manage<Entry[]>(gateway, page, 'GET', '/api/compliance/audit-log?action=resilience.reset&limit=500');
  await expect(details).toHaveCount(entries.length);
  await expect(page.getByText('There is nothing older.')).toBeVisible();
  const shown = await details.evaluateAll((buttons) => buttons.map((button) => button.getAttribute('aria-label')));
  expect(shown).toEqual(entries.map(({ id }) => `Details of entry ${id}`));

  await page.goto('/dashboard/audit?outcome=failed');
  const refused = await manage<Entry[]>(gateway, page, 'GET', '/api/compliance/audit-log?status=failed');
  await expect(details).toHaveCount(refused.length);
  await expect(page.getByRole('row').filter({ hasText: 'failed' }).first()).toContainText('auth.login');
  expect(complaints).toEqual([]);
});
