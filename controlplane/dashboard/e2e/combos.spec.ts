import type { Locator, Page } from '@playwright/test';
import { chat, createKey, expect, expectAccessible, expectApplied, expectFits, test } from './gateway';
import { connect, disconnect, forgiveNothing, manage } from './manage';

type Combo = { id: string; name: string; models: (string | { model: string; weight: number })[]; strategy: string };
type Metrics = {
  metrics: { totalRequests: number; fallbackRate: number; byModel: Record<string, { requests: number; successRate: number; lastStatus: string }> };
};

const rows = (dialog: Locator) => dialog.getByRole('combobox', { name: /^Member \d+$/ });
const handle = (dialog: Locator, position: number) => dialog.getByRole('button', { name: `Move member ${position}`, exact: true });

async function names(dialog: Locator): Promise<string[]> {
  return Promise.all((await rows(dialog).all()).map((field) => field.inputValue()));
}

async function open(page: Page, name: string): Promise<Locator> {
  await page.getByRole('button', { name: `Edit ${name}` }).click();
  const dialog = page.getByRole('dialog', { name: `Edit ${name}` });
  await expect(rows(dialog).first()).toBeVisible();
  return dialog;
}

test('members are dragged with the mouse and moved with the keyboard, and the API returns the new order', async ({
  complaints,
  gateway,
  signedIn: page,
}) => {
  const models = ['demo/one', 'demo/two', 'demo/three'];
  const { id } = await manage<Combo>(gateway, page, 'POST', '/api/combos', { name: 'moved', models });
  const stored = async () => (await manage<Combo>(gateway, page, 'GET', `/api/combos/${id}`)).models;
  await page.goto('/dashboard/combos');

  let dialog = await open(page, 'moved');
  const [from, to] = [await handle(dialog, 1).boundingBox(), await handle(dialog, 3).boundingBox()];
  if (!from || !to) throw new Error('the handles are not on the screen');
  await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 12 });
  await page.mouse.up();
  await expect.poll(() => names(dialog)).toEqual(['demo/two', 'demo/three', 'demo/one']);
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'moved saved');
  expect(await stored()).toEqual(['demo/two', 'demo/three', 'demo/one']);

  dialog = await open(page, 'moved');
  await handle(dialog, 3).focus();
  await page.keyboard.press('Space');
  const said = page.getByRole('status').filter({ hasText: 'Picked up demo/one, at place 3 of 3.' });
  await expect(said).toBeAttached();
  await page.keyboard.press('ArrowUp');
  await expect(page.getByRole('status').filter({ hasText: 'demo/one is over place 2 of 3.' })).toBeAttached();
  await page.keyboard.press('Space');
  await expect.poll(() => names(dialog)).toEqual(['demo/two', 'demo/one', 'demo/three']);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toBeHidden();
  expect(await stored()).toEqual(['demo/two', 'demo/one', 'demo/three']);

  // what was picked up by mistake is put back, and the dialog stays
  dialog = await open(page, 'moved');
  await handle(dialog, 1).focus();
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Escape');
  expect(await names(dialog)).toEqual(['demo/two', 'demo/one', 'demo/three']);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectFits(page);
  await manage(gateway, page, 'DELETE', `/api/combos/${id}`);
  expect(complaints).toEqual([]);
});

test('weights are balanced, saved, and shown as the API returns them', async ({ complaints, gateway, signedIn: page }) => {
  await page.goto('/dashboard/combos');
  await page.getByRole('button', { name: 'New combo' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'New combo' });
  await dialog.getByLabel('Name').fill('weighed');
  await dialog.getByRole('combobox', { name: 'Asked first' }).click();
  await page.getByRole('option', { name: 'by weight' }).click();
  await rows(dialog).first().fill('demo/demo');
  await page.keyboard.press('Tab');
  for (const model of ['demo/two', 'demo/three']) {
    await dialog.getByRole('button', { name: 'Another member' }).click();
    await rows(dialog).last().fill(model);
    await page.keyboard.press('Tab');
  }
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toContainText('total weight above 0');
  await dialog.getByRole('button', { name: 'Balance weights' }).click();
  await expect(dialog.getByLabel('Weight of member 1')).toHaveValue('34');
  await dialog.getByLabel('Weight of member 3').fill('66');
  await dialog.getByRole('button', { name: 'Retries, times and queues' }).click();
  await dialog.getByLabel('Retries', { exact: true }).fill('99');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByLabel('Retries', { exact: true })).toHaveAccessibleDescription(/must be 0 to 10/);
  await dialog.getByLabel('Retries', { exact: true }).fill('3');
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'weighed saved');

  const { combos } = await manage<{ combos: (Combo & { config: { maxRetries: number } })[] }>(gateway, page, 'GET', '/api/combos');
  const saved = combos.find(({ name }) => name === 'weighed');
  expect(saved).toMatchObject({
    strategy: 'weighted',
    config: { maxRetries: 3 },
    models: [
      { model: 'demo/demo', weight: 34 },
      { model: 'demo/two', weight: 33 },
      { model: 'demo/three', weight: 66 },
    ],
  });
  const table = page.getByRole('table', { name: 'Members of weighed' });
  for (const [model, weight, share] of [
    ['demo/demo', 34, 26],
    ['demo/two', 33, 25],
    ['demo/three', 66, 50],
  ]) {
    await expect(
      table
        .getByRole('row')
        .filter({ hasText: `${model}` })
        .getByRole('cell')
        .nth(1),
    ).toHaveText(new RegExp(`^${weight} \\(${share}\\s?%\\)$`));
  }

  await page.getByRole('button', { name: 'Duplicate weighed' }).click();
  await expect(page.getByRole('dialog', { name: 'New combo' }).getByLabel('Name')).toHaveValue('weighed-copy');
  await page.keyboard.press('Escape');
  await manage(gateway, page, 'DELETE', `/api/combos/${saved?.id}`);
  // refusals that were asked for are what the browser complains about
  expect(complaints.filter((text) => !text.includes('400'))).toEqual([]);
});

test('a test says of every member whether it answers, and each shows how it did and what rests', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'health');
  const forgive = await forgiveNothing(gateway, page);
  const account = await connect(gateway, page, 'nowhere', 'http://127.0.0.1:9/v1');
  const { id } = await manage<Combo>(gateway, page, 'POST', '/api/combos?wait=applied', { name: 'lasting', models: ['openai/gpt-4o', 'demo/demo'] });
  await page.goto('/dashboard/combos');
  const card = page.getByRole('region', { name: 'lasting', exact: true });
  const row = (model: string) => card.getByRole('row').filter({ hasText: model });
  await expect(card).toContainText('No request yet.');
  await expect(row('demo/demo')).toContainText('not asked yet');

  await card.getByRole('button', { name: 'Test lasting' }).click();
  await expect(row('demo/demo')).toContainText(/answers, \d+/);
  await expect(row('openai/gpt-4o')).toContainText('fails');
  await expect(card).toContainText('In the test demo/demo answered.');

  for (let sent = 0; sent < 2; sent += 1) expect((await chat(gateway, key, 'lasting')).status).toBe(200);
  const counted = async () => (await manage<Metrics>(gateway, page, 'GET', '/api/combos/metrics?combo=lasting')).metrics;
  await expect.poll(async () => (await counted())?.totalRequests).toBe(2);
  const { byModel, fallbackRate } = await counted();
  for (const [model, { requests, successRate }] of Object.entries(byModel)) {
    await expect(row(model).getByRole('cell').nth(1)).toHaveText(`${requests}`);
    await expect(row(model).getByRole('cell').nth(2)).toHaveText(new RegExp(`^${successRate}\\s?%$`));
  }
  await expect(card).toContainText(`Requests: 2, 100`);
  await expect(card).toContainText(new RegExp(`${fallbackRate}\\s?% by another than the first`));
  await expect(row('demo/demo')).toContainText('answered last');
  // the account, its model or its provider: whichever of them rests is told
  await expect(row('openai/gpt-4o')).toContainText(/left alone for|an account rests for/);
  await expectAccessible(page);

  await manage(gateway, page, 'POST', '/api/resilience/reset', { provider: 'openai' });
  await expect(row('openai/gpt-4o')).toContainText('failed last');
  await manage(gateway, page, 'DELETE', `/api/combos/${id}`);
  await disconnect(gateway, page, account);
  await forgive();
  expect(complaints).toEqual([]);
});
