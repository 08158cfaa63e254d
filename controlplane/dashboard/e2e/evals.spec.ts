import { expect, expectAccessible, test } from './gateway';

test('a suite of one\'s own is run with two models, followed, compared, and deleted', async ({ complaints, signedIn: page }) => {
  await page.goto('/dashboard/');
  await page.getByRole('link', { name: 'Evals', exact: true }).click();
  await page.getByRole('button', { name: 'New suite' }).click();
  const dialog = page.getByRole('dialog', { name: 'New suite' });
  await dialog.getByLabel('Name').fill('Golden set');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByText('There is one of this name already')).toBeVisible();
  await expect(dialog.getByText('Each case needs a question')).toBeVisible();
  await dialog.getByLabel('Name').fill('Greetings');
  await dialog.getByLabel('Question 1').fill('Good morning');
  await dialog.getByLabel('Contains 1').fill('demo provider');
  await dialog.getByRole('button', { name: 'Add to cases' }).click();
  await dialog.getByLabel('Question 2').fill('Good night');
  await dialog.getByLabel('Contains 2').fill('sleep well');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toBeHidden();

  const form = page.getByRole('region', { name: 'New run' });
  await form.getByRole('combobox', { name: 'Suite' }).click();
  await page.getByRole('option', { name: 'Greetings (2)' }).click();
  await form.getByRole('button', { name: 'Run' }).click();
  await expect(form.getByRole('combobox', { name: 'Model' })).toHaveAccessibleDescription(/is required/);
  await form.getByRole('combobox', { name: 'Model' }).fill('demo/demo');
  await form.getByRole('combobox', { name: 'Compare with' }).fill('demo/other');
  await form.getByRole('button', { name: 'Run' }).click();

  const results = page.getByRole('region', { name: 'Results' });
  for (const model of ['demo/demo', 'demo/other']) {
    const standing = results.getByRole('group', { name: `Run with ${model}` });
    await expect(standing.getByRole('status')).toHaveText('finished');
    const { recentRuns } = await (await page.request.get('/api/evals?view=full')).json();
    const { summary } = recentRuns.find((run: { target: { id: string } }) => run.target.id === model);
    await expect(standing).toContainText(`${summary.passed} passed, ${summary.failed} failed of ${summary.total}: ${summary.passRate}%`);
    expect(summary).toMatchObject({ passed: 1, failed: 1 });
  }
  await expect(results.getByRole('row').filter({ hasText: 'Good morning' }).getByText('passed')).toHaveCount(2);
  await expect(results.getByRole('row').filter({ hasText: 'Good night' }).getByText('expected (contains): sleep well')).toHaveCount(2);
  await expectAccessible(page);

  await page.reload();
  await page.getByRole('button', { name: 'Show the run of Greetings with demo/other' }).click();
  await expect(results.getByRole('group', { name: 'Run with demo/demo' })).toBeVisible();

  await page.getByRole('button', { name: /^Greetings, 2 cases/ }).click();
  await expect(page.getByRole('cell', { name: 'contains: sleep well' })).toBeVisible();
  await page.getByRole('button', { name: 'Delete Greetings' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByRole('button', { name: /^Greetings, 2 cases/ })).toHaveCount(0);
  // refusals that were asked for are what the browser complains about
  expect(complaints.filter((text) => !text.includes('400'))).toEqual([]);
});

test('a run that takes too long is cancelled', async ({ signedIn: page }) => {
  await page.goto('/dashboard/evals');
  const form = page.getByRole('region', { name: 'New run' });
  await form.getByRole('combobox', { name: 'Suite' }).click();
  await page.getByRole('option', { name: /^Golden set/ }).click();
  // the demo provider waits before it answers for this model
  await form.getByRole('combobox', { name: 'Model' }).fill('demo/sim-slow-20000');
  await form.getByRole('button', { name: 'Run' }).click();
  const run = page.getByRole('group', { name: 'Run with demo/sim-slow-20000' });
  await expect(run.getByRole('status')).toHaveText('running');
  await run.getByRole('button', { name: 'Cancel' }).click();
  await expect(run.getByRole('status')).toHaveText('cancelled');
  await expect(run.getByRole('button', { name: 'Cancel' })).toHaveCount(0);
});
