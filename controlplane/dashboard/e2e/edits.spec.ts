import { chat, createKey, expect, expectAccessible, expectApplied, expectFits, test } from './gateway';
import { connect, disconnect, manage } from './manage';

type Connection = { id: string; name: string; maskedApiKey: string; defaultModel?: string | null; providerSpecificData: { baseUrl?: string } };
type Node = { id: string; name: string; prefix: string; baseUrl: string };

test('a connection is given another name, key, model and address, and requests go by them at once', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'edits');
  const id = await connect(gateway, page, 'before', 'http://127.0.0.1:9/v1');
  const stored = async () => (await manage<{ connection: Connection }>(gateway, page, 'GET', `/api/providers/${id}`)).connection;
  const { maskedApiKey } = await stored();
  expect((await chat(gateway, key, 'openai/gpt-4o')).ok).toBe(false);

  await page.goto('/dashboard/providers');
  await page.getByRole('button', { name: 'Edit before' }).click();
  const dialog = page.getByRole('dialog', { name: 'Edit before' });
  await expect(dialog.getByRole('button', { name: 'Save' })).toBeDisabled();
  await expect(dialog.getByRole('textbox', { name: 'Key', exact: true })).toHaveAccessibleDescription(`Empty: it stays ${maskedApiKey}.`);
  await dialog.getByLabel('Own address').fill('no address');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByLabel('Own address')).toHaveAccessibleDescription(/address|URL|http/i);
  await dialog.getByLabel('Name').fill('after');
  await dialog.getByLabel('Own address').fill(gateway.demo);
  await dialog.getByLabel('Default model').fill('gpt-4o-mini');
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectFits(page);
  await page.setViewportSize({ width: 1280, height: 800 });
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'after saved');
  expect(await stored()).toMatchObject({ name: 'after', maskedApiKey, defaultModel: 'gpt-4o-mini', providerSpecificData: { baseUrl: gateway.demo } });
  await manage(gateway, page, 'POST', '/api/resilience/reset', { provider: 'openai' });
  expect((await chat(gateway, key, 'openai/gpt-4o')).status).toBe(200);

  await page.getByRole('button', { name: 'Edit after' }).click();
  const again = page.getByRole('dialog', { name: 'Edit after' });
  await again.getByRole('textbox', { name: 'Key', exact: true }).fill('another key than before');
  await again.getByLabel('Default model').fill('');
  await again.getByRole('button', { name: 'Save' }).click();
  await expect(again).toBeHidden();
  const rotated = await stored();
  expect(rotated.maskedApiKey).not.toBe(maskedApiKey);
  expect(rotated.defaultModel ?? null).toBeNull();
  await expect(page.getByRole('row').filter({ hasText: 'after' })).toContainText(rotated.maskedApiKey);
  await disconnect(gateway, page, id);
  // refusals that were asked for are what the browser complains about
  expect(complaints.filter((text) => !/400|422/.test(text))).toEqual([]);
});

test('an endpoint is given another name, prefix and address, and models follow it', async ({ complaints, gateway, signedIn: page }) => {
  const key = await createKey(page, 'edits of an endpoint');
  const body = { name: 'Old rack', prefix: 'old', type: 'openai-compatible', apiType: 'chat', baseUrl: 'http://127.0.0.1:9/v1', allowPrivateAddress: true };
  const { node } = await manage<{ node: Node }>(gateway, page, 'POST', '/api/provider-nodes', body);
  await manage(gateway, page, 'POST', '/api/providers?wait=applied', { provider: node.id, name: 'rack', apiKey: 'any-key', allowPrivateAddress: true });
  await page.goto('/dashboard/providers');
  await page.getByRole('button', { name: 'Edit endpoint Old rack' }).click();
  const dialog = page.getByRole('dialog', { name: 'Edit Old rack' });
  await dialog.getByLabel('Name').fill('New rack');
  await dialog.getByLabel('Prefix').fill('demo');
  await dialog.getByLabel('Address', { exact: true }).fill(gateway.demo);
  await dialog.getByRole('button', { name: 'Save' }).click();
  // another provider has that prefix
  await expect(dialog).toContainText(/demo/);
  await expect(dialog).toBeVisible();
  await dialog.getByLabel('Prefix').fill('new');
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'New rack saved');
  const changed = await manage<{ node: Node }>(gateway, page, 'GET', `/api/provider-nodes/${node.id}`);
  expect(changed.node).toMatchObject({ name: 'New rack', prefix: 'new', baseUrl: gateway.demo });
  await expect(page.getByRole('region', { name: 'New rack' })).toContainText('Models begin with new/');
  expect((await chat(gateway, key, 'new/demo')).status).toBe(200);
  await manage(gateway, page, 'DELETE', `/api/provider-nodes/${node.id}`);
  expect(complaints.filter((text) => !/400|409|422/.test(text))).toEqual([]);
});

test('a provider and a connection get proxies on the page of providers, which says the way calls go', async ({ complaints, gateway, signedIn: page }) => {
  type Proxies = { providers: Record<string, { host: string; port: number }>; keys: Record<string, { host: string }> };
  const id = await connect(gateway, page, 'proxied', gateway.demo);
  const stored = () => manage<Proxies>(gateway, page, 'GET', '/api/settings/proxy');
  await page.goto('/dashboard/providers');
  const section = page.getByRole('region', { name: 'OpenAI', exact: true });
  await expect(section).not.toContainText('Calls go through');
  await section.getByRole('button', { name: 'Proxies of OpenAI' }).click();
  const dialog = page.getByRole('dialog', { name: 'Proxies of OpenAI' });
  await expect(dialog.getByRole('combobox', { name: 'Set the proxy for' })).toHaveValue('provider OpenAI');
  await dialog.getByLabel('Host').fill('proxy.example');
  await dialog.getByLabel('Port').fill('3128');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expectApplied(page, 'Proxy saved');
  expect((await stored()).providers.openai).toMatchObject({ host: 'proxy.example', port: 3_128 });
  await dialog.getByRole('combobox', { name: 'Set the proxy for' }).click();
  // of what it is about, and nothing else
  await expect(page.getByRole('option')).toHaveText(['provider OpenAI', 'connection proxied']);
  await page.getByRole('option', { name: 'connection proxied' }).click();
  await dialog.getByLabel('Host').fill('nearer.example');
  await dialog.getByLabel('Port').fill('8080');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByRole('row').filter({ hasText: 'connection proxied' })).toContainText('http://nearer.example:8080');
  expect((await stored()).keys[id]).toMatchObject({ host: 'nearer.example' });
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  await expect(section).toContainText('Calls go through http://proxy.example:3128 (the provider’s proxy).');
  await expect(section.getByRole('row').filter({ hasText: 'proxied' })).toContainText('through http://nearer.example:8080');

  await section.getByRole('button', { name: 'Proxies of OpenAI' }).click();
  await dialog.getByRole('button', { name: 'Delete the proxy for provider OpenAI' }).click();
  await page.getByRole('dialog', { name: 'Delete the proxy for provider OpenAI?' }).getByRole('button', { name: 'Delete' }).click();
  await expectApplied(page, 'Proxy deleted');
  expect((await stored()).providers).toEqual({});
  await manage(gateway, page, 'DELETE', `/api/settings/proxy?level=key&id=${id}`);
  await disconnect(gateway, page, id);
  expect(complaints).toEqual([]);
});
