import { createKey, expect, expectAccessible, expectFits, test } from './gateway';
import { manage } from './manage';

type Named = { connections: { name: string }[]; keys: { name: string; key: string }[] };

test('the command palette finds pages and names as the management API has them, by the keyboard alone', async ({ complaints, gateway, signedIn: page }) => {
  await createKey(page, 'quokka key');
  const { combo } = await manage<{ combo?: { id: string }; id?: string }>(gateway, page, 'POST', '/api/combos', { name: 'quokka-combo', models: ['demo/demo'] }).then(
    (made) => ({ combo: made.combo ?? { id: made.id ?? '' } }),
  );
  await manage(gateway, page, 'PUT', '/api/models/alias', { alias: 'quokka-alias', model: 'demo/demo' });
  await page.goto('/dashboard/usage');
  await expect(page.getByRole('heading', { name: 'Usage', level: 1 })).toBeVisible();

  await page.keyboard.press('Control+k');
  const dialog = page.getByRole('dialog', { name: 'Go to' });
  const search = dialog.getByRole('combobox', { name: 'Search' });
  await expect(search).toBeFocused();
  // everything that has a name is there before anything is typed
  const options = dialog.getByRole('option');
  const { connections } = await manage<Named>(gateway, page, 'GET', '/api/providers');
  for (const { name } of connections) await expect(options.filter({ hasText: name }).first()).toBeAttached();
  const { keys } = await manage<Named>(gateway, page, 'GET', '/api/keys');
  for (const { name, key } of keys) await expect(options.filter({ hasText: name }).filter({ hasText: key })).toBeAttached();
  await expectAccessible(page);

  await page.keyboard.type('quokka');
  await expect(options).toHaveCount(3);
  for (const name of ['quokka-combo', 'quokka key', 'quokka-alias']) await expect(options.filter({ hasText: name })).toBeVisible();
  // the chosen one is told to who does not see it
  const chosen = dialog.locator('[role="option"][aria-selected="true"]');
  await expect(chosen).toHaveCount(1);
  await expect(search).toHaveAttribute('aria-activedescendant', (await chosen.getAttribute('id')) ?? 'none');
  await search.fill('quokka-al');
  await expect(chosen).toContainText('quokka-alias');
  await page.keyboard.press('Enter');
  await expect(dialog).toBeHidden();
  await expect(page.getByRole('heading', { name: 'Aliases', level: 1 })).toBeVisible();

  // letters in between may be missing, the arrows go round, and what was chosen lately comes first
  await page.keyboard.press('Meta+k');
  await search.fill('alg');
  await expect(options.first()).toContainText('Audit log');
  await search.fill('');
  await page.keyboard.press('ArrowUp');
  await expect(options.last()).toHaveAttribute('aria-selected', 'true');
  await expect(dialog.getByRole('group', { name: 'Recent' }).getByRole('option')).toHaveText([/quokka-alias/]);
  await search.fill('zzzz nothing is called that');
  await expect(dialog.getByText('Nothing fits.')).toBeVisible();
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();

  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole('button', { name: 'Go to' }).click();
  await expect(search).toBeFocused();
  await expectFits(page);
  await search.fill('hea');
  await options.first().click();
  await expect(page.getByRole('heading', { name: 'Health', level: 1 })).toBeVisible();

  await manage(gateway, page, 'DELETE', '/api/models/alias?alias=quokka-alias');
  await manage(gateway, page, 'DELETE', `/api/combos/${combo.id}`);
  expect(complaints).toEqual([]);
});
