import { chat, createKey, expect, expectApplied, test } from './gateway';

test('an endpoint of one\'s own is added, connected, tested, called and deleted', async ({ gateway, signedIn: page }) => {
  await page.goto('/dashboard/providers');
  await page.getByRole('button', { name: 'Add endpoint' }).click();
  const endpoint = page.getByRole('dialog', { name: 'Add endpoint' });
  await endpoint.getByLabel('Name').fill('GPU server');
  await endpoint.getByLabel('Prefix').fill('gpu');
  await endpoint.getByLabel('Address', { exact: true }).fill(gateway.demo);
  await endpoint.getByRole('switch', { name: 'Allow a private address' }).press('Space');
  await endpoint.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'GPU server saved');

  await page.getByRole('button', { name: 'Add connection' }).click();
  const connection = page.getByRole('dialog', { name: 'Add connection' });
  await connection.getByRole('combobox', { name: 'Provider' }).fill('GPU');
  await page.getByRole('option', { name: 'GPU server' }).click();
  await connection.getByLabel('Name').fill('lab');
  await connection.getByRole('textbox', { name: 'Key' }).fill('any-key');
  await connection.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'lab saved');

  const section = page.getByRole('region', { name: 'GPU server' });
  await section.getByRole('button', { name: 'Test lab' }).click();
  await expect(section.getByText('The provider accepts this connection')).toBeVisible();

  const key = await createKey(page, 'for the endpoint');
  expect((await chat(gateway, key, 'gpu/demo')).status).toBe(200);

  await page.getByRole('link', { name: 'Providers', exact: true }).click();
  await section.getByRole('switch', { name: 'lab enabled' }).press('Space');
  await expectApplied(page, 'lab disabled');
  expect((await chat(gateway, key, 'gpu/demo')).ok).toBe(false);

  await section.getByRole('button', { name: 'Delete endpoint GPU server' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'Endpoint deleted');
  await expect(section).toHaveCount(0);
});

test('a connection that cannot work says why', async ({ signedIn: page }) => {
  await page.goto('/dashboard/providers');
  await page.getByRole('button', { name: 'Add connection' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add connection' });
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByText('Choose who the key belongs to')).toBeVisible();

  await dialog.getByRole('combobox', { name: 'Provider' }).fill('OpenAI');
  await page.getByRole('option', { name: 'OpenAI', exact: true }).click();
  await dialog.getByLabel('Name').fill('nowhere');
  await dialog.getByRole('textbox', { name: 'Key', exact: true }).fill('any-key');
  await dialog.getByLabel('Own address').fill('http://127.0.0.1:9/v1');
  await dialog.getByRole('switch', { name: 'Allow a private address' }).press('Space');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'nowhere saved');

  const section = page.getByRole('region', { name: 'OpenAI' });
  await section.getByRole('button', { name: 'Test nowhere' }).click();
  await expect(section.getByText('The provider cannot be used with this connection')).toBeVisible();
  await expect(section.getByText('network_error')).toBeVisible();

  await section.getByRole('button', { name: 'Delete nowhere' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'nowhere deleted');
});

test('a resource of Azure is added with the version of its API', async ({ signedIn: page }) => {
  await page.goto('/dashboard/providers');
  await page.getByRole('button', { name: 'Add endpoint' }).click();
  const endpoint = page.getByRole('dialog', { name: 'Add endpoint' });
  await endpoint.getByLabel('Name').fill('Azure east');
  await endpoint.getByLabel('Prefix').fill('azure-east');
  await expect(endpoint.getByLabel('API version')).toHaveCount(0);
  await endpoint.getByRole('combobox', { name: 'Type' }).click();
  await page.getByRole('option', { name: 'Azure OpenAI, with a dated API version' }).click();
  await endpoint.getByLabel('API version').fill('2025-04-01-preview');
  await endpoint.getByLabel('Address', { exact: true }).fill('https://my-resource.openai.azure.com/openai/v1/');
  await endpoint.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'Azure east saved');

  const section = page.getByRole('region', { name: 'Azure east' });
  await section.getByRole('button', { name: 'Delete endpoint Azure east' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'Endpoint deleted');
});

test('a connection asks for what its provider wants to know', async ({ signedIn: page }) => {
  await page.goto('/dashboard/providers');
  await page.getByRole('button', { name: 'Add connection' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add connection' });
  const provider = dialog.getByRole('combobox', { name: 'Provider' });
  await provider.fill('Bedrock');
  await page.getByRole('option', { name: 'Amazon Bedrock', exact: true }).click();
  await expect(dialog.getByLabel('Region')).toBeVisible();
  await expect(dialog.getByLabel('Project')).toHaveCount(0);

  await provider.fill('Vertex');
  await page.getByRole('option', { name: 'Google Vertex AI', exact: true }).click();
  await dialog.getByLabel('Name').fill('research');
  await dialog.getByLabel('Project').fill('my-project');
  await dialog.getByLabel('Region').fill('europe-west4');
  await dialog.getByLabel('Service account key (JSON)').fill('{"type": "authorized_user"}');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('must be service_account')).toBeVisible();
});
