import { groups } from '../src/navigation';
import { expect, expectAccessible, test } from './gateway';

const pages = [
  { path: '/dashboard/', title: 'Overview' },
  { path: '/dashboard/providers', title: 'Providers' },
  { path: '/dashboard/combos', title: 'Combos' },
  { path: '/dashboard/aliases', title: 'Aliases' },
  { path: '/dashboard/keys', title: 'API keys' },
  { path: '/dashboard/requests', title: 'Requests' },
  { path: '/dashboard/proxy-log', title: 'Proxy log' },
  { path: '/dashboard/usage', title: 'Usage' },
  { path: '/dashboard/cache', title: 'Cache' },
  { path: '/dashboard/limits', title: 'Limits' },
  { path: '/dashboard/health', title: 'Health' },
  { path: '/dashboard/console', title: 'Console' },
  { path: '/dashboard/team', title: 'Team' },
  { path: '/dashboard/audit', title: 'Audit log' },
  { path: '/dashboard/api', title: 'Management API' },
  { path: '/dashboard/backups', title: 'Backups' },
  { path: '/dashboard/playground', title: 'Playground' },
  { path: '/dashboard/settings', title: 'Settings' },
  { path: '/dashboard/costs', title: 'Costs' },
  { path: '/dashboard/translator', title: 'Translator' },
  { path: '/dashboard/policies', title: 'Policies' },
  { path: '/dashboard/evals', title: 'Evals' },
  { path: '/dashboard/cli-tools', title: 'CLI tools' },
  { path: '/dashboard/nodes', title: 'Nodes' },
  { path: '/dashboard/setup', title: 'Set up' },
];
const dialogs = [
  { path: '/dashboard/providers', button: 'Add connection' },
  { path: '/dashboard/providers', button: 'Add endpoint' },
  { path: '/dashboard/providers', button: 'Test all' },
  { path: '/dashboard/providers', button: 'Models of Demo provider' },
  { path: '/dashboard/providers', button: 'Proxies of Demo provider' },
  { path: '/dashboard/providers', button: 'Edit demo' },
  { path: '/dashboard/providers', button: 'Sign in' },
  { path: '/dashboard/combos', button: 'New combo' },
  { path: '/dashboard/keys', button: 'New key' },
  { path: '/dashboard/aliases', button: 'New chain' },
  { path: '/dashboard/backups', button: 'Enable' },
  { path: '/dashboard/team', button: 'New account' },
  { path: '/dashboard/team', button: 'New token' },
  { path: '/dashboard/backups', button: 'Export' },
  { path: '/dashboard/backups', button: 'Import' },
  { path: '/dashboard/costs', button: 'Set a price' },
  { path: '/dashboard/costs', button: 'Add a price change' },
  { path: '/dashboard/costs', button: 'Price the past anew' },
  { path: '/dashboard/policies', button: 'New policy' },
  { path: '/dashboard/evals', button: 'New suite' },
  { path: '/dashboard/cli-tools', button: 'Set up Claude Code' },
  { path: '/dashboard/nodes', button: 'Restart' },
  { path: '/dashboard/nodes', button: 'Shut down' },
];

test('no page of the menu is left out here', () => {
  const menu = groups.flatMap(({ pages }) => pages.map(({ to }) => `/dashboard${to}`));
  expect(menu.filter((path) => !pages.some((page) => page.path === path))).toEqual([]);
});

for (const { path, title } of pages) {
  test(`${title} is accessible in either colours and breaks no rule of the browser`, async ({ complaints, signedIn: page }) => {
    await page.goto(path);
    await expect(page.getByRole('heading', { name: title, level: 1 })).toBeVisible();
    await expect(page.getByLabel('Loading')).toHaveCount(0);
    await expectAccessible(page);
    expect(complaints).toEqual([]);
  });
}

for (const { path, button } of dialogs) {
  test(`the dialog behind "${button}" is accessible in either colours and breaks no rule of the browser`, async ({
    complaints,
    signedIn: page,
  }) => {
    await page.goto(path);
    await page.getByRole('button', { name: button }).first().click();
    await expect(page.getByRole('dialog')).toBeVisible();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toBeHidden();
    expect(complaints).toEqual([]);
  });
}

test('an address that is no page says so, and is accessible in either colours', async ({ complaints, signedIn: page }) => {
  await page.goto('/dashboard/no-such-page');
  await expect(page.getByRole('heading', { name: 'There is no such page' })).toBeVisible();
  await expectAccessible(page);
  expect(complaints).toEqual([]);
});

test('the sign-in page is accessible in either colours and breaks no rule of the browser', async ({ complaints, page }) => {
  await page.goto('/dashboard/login');
  await expect(page.getByRole('heading', { name: 'Sign in to OmniRoute' })).toBeVisible();
  await expectAccessible(page);
  expect(complaints).toEqual([]);
});
