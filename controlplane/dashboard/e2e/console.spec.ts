import { expect, expectAccessible, expectFits, test } from './gateway';
import { manage } from './manage';
import { letIn, signInAs } from './people';

type Line = { level: string; component: string; message: string };

test('the log of a process is read by level, component and process, and stands still when it is told to', async ({ complaints, gateway, signedIn: page }) => {
  const lines = (filter: string) => manage<Line[]>(gateway, page, 'GET', `/api/logs/console?limit=200${filter}`);
  const [first] = await lines('');
  if (!first) throw new Error('the gateway logged nothing');
  await page.goto('/dashboard/');
  await page.getByRole('link', { name: 'Console', exact: true }).click();
  const rows = page.getByRole('main').locator('tbody').getByRole('row');
  await page.getByRole('switch', { name: 'Live' }).press('Space');
  await expect(page.getByRole('status').filter({ hasText: 'Stands still.' })).toBeVisible();

  const filter = page.getByRole('search', { name: 'Filter' });
  await filter.getByLabel('Component').fill(first.component);
  await filter.getByRole('combobox', { name: 'Level, or worse' }).click();
  await page.getByRole('option', { name: 'info' }).click();
  await filter.getByRole('button', { name: 'Apply' }).click();
  await expect(page).toHaveURL(new RegExp(`level=info&component=${encodeURIComponent(first.component)}$`));
  await page.reload();
  await page.getByRole('switch', { name: 'Live' }).press('Space');
  const found = await lines(`&level=info&component=${first.component}`);
  const oldest = found[0];
  // what was written since then comes before it
  await expect(rows.last()).toContainText(oldest?.message ?? 'nothing was found');
  await expect(rows.last().getByRole('cell').nth(1)).toHaveText(oldest?.level ?? '');
  await expect(rows.last().getByRole('cell').nth(2)).toHaveText(oldest?.component ?? '');
  expect(await rows.count()).toBeLessThanOrEqual(found.length);
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectFits(page);

  const { dataPlanes } = await manage<{ dataPlanes: { id: string }[] }>(gateway, page, 'GET', '/api/dataplanes');
  await filter.getByRole('combobox', { name: 'Process' }).click();
  await page.getByRole('option', { name: dataPlanes[0]?.id }).click();
  await filter.getByLabel('Component').fill('no::such::part');
  await filter.getByRole('button', { name: 'Apply' }).click();
  await expect(page).toHaveURL(new RegExp(`node=${dataPlanes[0]?.id}$`));
  await expect(page.getByText('No line fits')).toBeVisible();
  await filter.getByRole('button', { name: 'Clear' }).click();
  await expect(rows.first()).toBeVisible();
  expect(complaints).toEqual([]);
});

test('the log of a process that is not there is refused with what finds the refusal', async ({ complaints, signedIn: page }) => {
  await page.goto('/dashboard/console?node=nobody');
  const alert = page.getByRole('alert').filter({ hasText: 'This could not be loaded' });
  await expect(alert).toContainText('nobody');
  await expect(alert).toContainText(/[A-Z]+_\d+ · \S{36}/);
  await expectAccessible(page);
  expect(complaints.filter((text) => !text.includes('404'))).toEqual([]);
});

test('a viewer is told that the log takes another role', async ({ browser, gateway, signedIn: owner }) => {
  const showOut = await letIn(gateway, owner, 'reader-of-logs', 'viewer');
  const { page, complaints, leave } = await signInAs(gateway, browser, 'reader-of-logs');
  await page.goto('/dashboard/console');
  await expect(page.getByText('Reading the log takes the role operator.')).toBeVisible();
  expect(complaints).toEqual([]);
  await leave();
  await showOut();
});
