import { readFile } from 'node:fs/promises';
import { createKey, expect, expectAccessible, expectApplied, test } from './gateway';

test('what was deleted comes back with a restore', async ({ signedIn: page }) => {
  await createKey(page, 'to be restored');
  await page.getByRole('link', { name: 'Backups', exact: true }).click();
  await page.getByRole('button', { name: 'Back up now' }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'Backup made' })).toBeVisible();
  const newest = page.getByRole('row').nth(1);
  await expect(newest).toContainText('manual');

  await page.getByRole('link', { name: 'API keys', exact: true }).click();
  await page.getByRole('button', { name: 'Delete to be restored' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'Key deleted');

  await page.getByRole('link', { name: 'Backups', exact: true }).click();
  await newest.getByRole('button', { name: /Restore/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click();
  await expectApplied(page, 'Backup restored');
  await expect(newest).toContainText('pre-restore');
  await page.getByRole('link', { name: 'API keys', exact: true }).click();
  await expect(page.getByRole('row').filter({ hasText: 'to be restored' })).toBeVisible();
});

test('an export is imported after a look at it', async ({ complaints, signedIn: page }) => {
  await createKey(page, 'exported');
  await page.goto('/dashboard/backups');
  await page.getByRole('button', { name: 'Export' }).click();
  const dialog = page.getByRole('dialog', { name: 'Export the configuration' });
  await dialog.getByRole('radio', { name: 'Sealed under a passphrase' }).check();
  await dialog.getByRole('textbox', { name: 'Passphrase' }).fill('zwölf Zeichen und mehr');
  const [file] = await Promise.all([page.waitForEvent('download'), dialog.getByRole('button', { name: 'Download' }).click()]);
  expect(file.suggestedFilename()).toMatch(/^omniroute-backup-.*\.sqlite$/);
  const buffer = await readFile(await file.path());
  await expect(dialog).toBeHidden();

  await page.getByRole('link', { name: 'API keys', exact: true }).click();
  await page.getByRole('button', { name: 'Delete exported' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'Key deleted');

  await page.getByRole('link', { name: 'Backups', exact: true }).click();
  await page.getByRole('button', { name: 'Import' }).click();
  const importing = page.getByRole('dialog', { name: 'Import a configuration' });
  const choose = (name: string, content: Buffer) =>
    importing.locator('input[type=file]').setInputFiles({ name, mimeType: 'application/octet-stream', buffer: content });
  await choose('broken.sqlite', buffer.subarray(0, 5000));
  await importing.getByRole('button', { name: 'Preview' }).click();
  await expect(importing.getByText('The file was not taken over')).toBeVisible();

  await choose(file.suggestedFilename(), buffer);
  await importing.getByRole('textbox', { name: 'Passphrase it was exported with' }).fill('zwölf Zeichen und mehr');
  await importing.getByRole('button', { name: 'Preview' }).click();
  await expect(importing.getByText('Afterwards there would be')).toBeVisible();
  await expectAccessible(page);
  await importing.getByRole('button', { name: 'Import', exact: true }).click();
  await expectApplied(page, 'Imported');
  await page.getByRole('link', { name: 'API keys', exact: true }).click();
  await expect(page.getByRole('row').filter({ hasText: 'exported' })).toBeVisible();
  // the broken file was refused on purpose
  expect(complaints.filter((complaint) => !complaint.includes('status of 400'))).toEqual([]);
});
