import { type Cluster, startCluster } from './cluster';
import { PASSWORD, type Started, expect, expectAccessible, expectFits, startGateway, test as base } from './gateway';
import { manage } from './manage';

const test = base.extend<{ cluster: Cluster; own: Started }>({
  cluster: async ({}, use) => {
    const cluster = await startCluster(1, { breakable: true });
    await use(cluster);
    await cluster.stop();
  },
  own: async ({}, use) => {
    const own = await startGateway({ env: { INITIAL_PASSWORD: PASSWORD } });
    await use(own);
    await own.stop();
  },
});

test('what does not answer is said above every page, until it does, and what fails meanwhile says what to look for', async ({ browser, cluster }) => {
  test.setTimeout(240_000);
  const gateway = { address: cluster.address, demo: '' };
  const page = await (await browser.newContext({ baseURL: cluster.address })).newPage();
  await manage(gateway, page, 'POST', '/api/auth/login', { password: PASSWORD });
  const banner = page.getByRole('alert').filter({ hasText: 'The gateway is not whole' });
  await page.goto('/dashboard/combos');
  await expect(page.getByText('No combo yet')).toBeVisible();
  await expect(banner).toHaveCount(0);

  cluster.redis?.cut();
  await expect(banner).toContainText('The state store does not answer');
  await expect(banner).not.toContainText('database');
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectFits(page);
  await page.setViewportSize({ width: 1280, height: 800 });
  await banner.getByRole('link', { name: 'Health' }).click();
  await expect(page.getByRole('group', { name: 'State store' })).toContainText('Does not answer');
  await expect(page.getByRole('group', { name: 'Database' })).toContainText('Answers');
  cluster.redis?.mend();
  await expect(banner).toHaveCount(0, { timeout: 60_000 });

  await page.goto('/dashboard/combos');
  await page.getByRole('button', { name: 'New combo' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'New combo' });
  await dialog.getByLabel('Name').fill('meanwhile');
  await dialog.getByRole('combobox', { name: 'Member 1' }).fill('demo/demo');
  await page.keyboard.press('Tab');
  cluster.postgres?.cut();
  await expect(banner).toContainText('The database does not answer: nothing can be saved');
  await dialog.getByRole('button', { name: 'Save' }).click();
  // the code, and the id that finds it in the logs
  await expect(dialog.getByRole('alert')).toContainText(/[A-Z_]+\w* · \S{36}/);
  await expect(dialog.getByLabel('Name')).toHaveValue('meanwhile');
  cluster.postgres?.mend();
  await expect(banner).toHaveCount(0, { timeout: 60_000 });
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toBeHidden();
  const { combos } = await manage<{ combos: { name: string }[] }>(gateway, page, 'GET', '/api/combos');
  expect(combos.map(({ name }) => name)).toEqual(['meanwhile']);

  // a page that is begun meanwhile, too
  cluster.postgres?.cut();
  await page.goto('/dashboard/keys');
  const broken = page.getByRole('alert').filter({ has: page.getByRole('button', { name: 'Try again' }) });
  await expect(broken.first()).toContainText(/[A-Z_]+\w* · \S{36}/, { timeout: 60_000 });
  await expectAccessible(page);
  cluster.postgres?.mend();
  await broken.first().getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByText('No key yet')).toBeVisible({ timeout: 60_000 });
  await page.context().close();
});

test('a control plane that is gone is said to be, and what is shown stays', async ({ browser, own }) => {
  const page = await (await browser.newContext({ baseURL: own.address })).newPage();
  await manage(own, page, 'POST', '/api/auth/login', { password: PASSWORD });
  await page.goto('/dashboard/limits');
  await expect(page.getByRole('switch', { name: 'demo protected' })).toBeVisible();
  await own.stop();
  await expect(page.getByRole('alert').filter({ hasText: 'The gateway is not whole' })).toContainText('The control plane does not answer. What is shown may be old', { timeout: 60_000 });
  await expect(page.getByRole('switch', { name: 'demo protected' })).toBeVisible();
  await expect(page.getByRole('alert').filter({ hasText: 'may be old' }).last()).toBeVisible();
  await page.context().close();
});
