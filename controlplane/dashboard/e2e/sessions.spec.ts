import { expect, expectAccessible, test } from './gateway';
import { letIn, signInAs } from './people';

test('a session says whose it is and until when, ends alone, and all end together', async ({ browser, gateway, signedIn: owner }) => {
  const showOut = await letIn(gateway, owner, 'roamer', 'viewer');
  const [here, there, elsewhere] = [
    await signInAs(gateway, browser, 'roamer'),
    await signInAs(gateway, browser, 'roamer'),
    await signInAs(gateway, browser, 'roamer'),
  ];
  await here.page.goto('/dashboard/settings');
  const section = here.page.getByRole('region', { name: 'Your session' });
  const { expiresAt } = (await (await here.page.request.get('/api/auth/status')).json()) as { expiresAt: string };
  const until = await here.page.evaluate(
    (timestamp) => new Intl.DateTimeFormat(navigator.language, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(timestamp)),
    expiresAt,
  );
  await expect(section).toContainText(`Signed in as roamer with the role viewer, until ${until}.`);
  await expectAccessible(here.page);

  await there.page.goto('/dashboard/settings');
  await there.page.getByRole('button', { name: 'Sign out here' }).click();
  await expect(there.page.getByRole('heading', { name: 'Sign in to OmniRoute' })).toBeVisible();
  await here.page.reload();
  await expect(section).toContainText('Signed in as roamer');

  await section.getByRole('button', { name: 'Sign out everywhere' }).click();
  const dialog = here.page.getByRole('dialog', { name: 'Sign out everywhere?' });
  await expect(dialog).toContainText('this one too');
  await dialog.getByRole('button', { name: 'Sign out everywhere' }).click();
  await expect(here.page.getByRole('heading', { name: 'Sign in to OmniRoute' })).toBeVisible();
  await elsewhere.page.goto('/dashboard/');
  await expect(elsewhere.page.getByRole('heading', { name: 'Sign in to OmniRoute' })).toBeVisible();
  // somebody else's go on
  await owner.goto('/dashboard/');
  await expect(owner.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible();

  await Promise.all([here, there, elsewhere].map((person) => person.leave()));
  await showOut();
});
