import { chat, createKey, expect, expectAccessible, expectApplied, test } from './gateway';

test('a policy refuses models to a key, is paused, becomes another one, and is deleted', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'ruled');
  const free = await createKey(page, 'not ruled');
  await page.getByRole('link', { name: 'Policies', exact: true }).click();
  await page.getByRole('button', { name: 'New policy' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'New policy' });
  await dialog.getByLabel('Name', { exact: true }).fill('no secrets');
  await dialog.getByRole('button', { name: 'Save' }).click();
  const models = dialog.getByRole('combobox', { name: 'Refused models' });
  await expect(models).toHaveAccessibleDescription(/is what a policy of type `access` needs/);
  await models.fill('demo/secret*');
  await models.press('Enter');
  await dialog.getByLabel('From, UTC').fill('25:00');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByLabel('From, UTC')).toHaveAccessibleDescription(/must be a time of the day/);
  await dialog.getByLabel('From, UTC').fill('');
  await dialog.getByRole('combobox', { name: 'Only for keys' }).click();
  await page.getByRole('option', { name: 'ruled', exact: true }).click();
  await page.keyboard.press('Escape');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'Policy no secrets saved');

  const row = page.getByRole('row').filter({ hasText: 'no secrets' });
  await expect(row).toContainText('requests by ruled');
  await expect(row).toContainText('refuse demo/secret*');
  expect((await chat(gateway, key, 'demo/secret-plan')).status).toBe(403);
  expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
  expect((await chat(gateway, free, 'demo/secret-plan')).status).toBe(200);

  await page.getByRole('switch', { name: 'no secrets enabled' }).press('Space');
  await expectApplied(page, 'Policy disabled');
  expect((await chat(gateway, key, 'demo/secret-plan')).status).toBe(200);
  await page.getByRole('switch', { name: 'no secrets enabled' }).press('Space');
  await expectApplied(page, 'Policy enabled');

  await row.getByRole('button', { name: 'Change no secrets' }).click();
  const change = page.getByRole('dialog', { name: 'Policy no secrets' });
  await change.getByLabel('Name', { exact: true }).fill('short answers');
  await change.getByRole('combobox', { name: 'Type' }).click();
  await page.getByRole('option', { name: /^Budget/ }).click();
  await change.getByLabel('Most tokens of an answer').fill('5');
  await change.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'Policy short answers saved');
  await expect(page.getByRole('row').filter({ hasText: 'short answers' })).toContainText('at most 5 tokens in an answer');
  expect((await (await chat(gateway, key, 'demo/demo')).json()).usage.completion_tokens).toBe(5);
  await expectAccessible(page);

  const { policies, circuitBreakers } = await (await page.request.get('/api/policies')).json();
  expect(policies).toMatchObject([{ name: 'short answers', type: 'budget', actions: { max_tokens: 5 } }]);
  const breakers = page.getByRole('region', { name: 'Circuit breakers' });
  type Nodes = { nodes: { id: string; prefix: string }[] };
  const { nodes } = (await (await page.request.get('/api/provider-nodes')).json()) as Nodes;
  for (const { name } of circuitBreakers) await expect(breakers).toContainText(nodes.find((node) => node.id === name)?.prefix ?? name);

  await page.getByRole('button', { name: 'Delete short answers' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'Policy deleted');
  await expect(page.getByText('No policy yet')).toBeVisible();
  // refusals that were asked for are what the browser complains about
  expect(complaints.filter((text) => !text.includes('400'))).toEqual([]);
});
