import type { Page } from '@playwright/test';
import { createKey, expect, expectAccessible, test } from './gateway';

type Logged = { requestedModel: string; path: string; status: number; tokens: { in: number; out: number } };

/** The request as the gateway accounted it, found by the id that the page shows. */
async function logged(page: Page, model: string): Promise<Logged> {
  const answer = page.getByRole('region', { name: `Answer of ${model}` });
  const id = await answer.locator('code').textContent();
  const found = await page.request.get(`/api/usage/call-logs/${id}`);
  return found.ok() ? found.json() : Promise.reject(new Error(`${id} is not in the log: ${found.status()}`));
}

async function ask(page: Page, { key, model, message }: { key: string; model: string; message: string }) {
  await page.getByLabel('API key').fill(key);
  await page.getByRole('combobox', { name: 'Model' }).fill(model);
  await page.getByRole('textbox', { name: 'Message' }).fill(message);
  await page.getByRole('button', { name: 'Send' }).click();
}

test('two models answer side by side, in every dialect, with the tokens that are accounted', async ({ complaints, signedIn: page }) => {
  const key = await createKey(page, 'playground');
  await page.getByRole('link', { name: 'Playground', exact: true }).click();
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page.getByText('Paste an API key of this gateway')).toBeVisible();

  await page.getByRole('combobox', { name: 'Compare with' }).fill('demo/other');
  await page.getByRole('textbox', { name: 'System prompt' }).fill('Be short.');
  await ask(page, { key, model: 'demo/demo', message: '<b>bold</b>' });
  for (const model of ['demo/demo', 'demo/other']) {
    const answer = page.getByRole('region', { name: `Answer of ${model}` });
    await expect(answer.getByRole('status')).toHaveText('complete');
    // what looks like markup is the text that was sent
    await expect(answer).toContainText('You wrote: "<b>bold</b>"');
    await expect(answer.getByText(/^\d[\d,]* ms$/)).toHaveCount(2);
    await expect.poll(async () => (await logged(page, model).catch(() => null))?.status).toBe(200);
    const { tokens, requestedModel } = await logged(page, model);
    expect(requestedModel).toBe(model);
    await expect(answer).toContainText(`Tokens in${tokens.in}`);
    await expect(answer).toContainText(`Tokens out${tokens.out}`);
  }

  await page.getByRole('combobox', { name: 'Compare with' }).fill('');
  for (const [dialect = '', path = ''] of [
    ['OpenAI responses', '/v1/responses'],
    ['Anthropic messages', '/v1/messages'],
    ['Gemini', ':streamGenerateContent'],
    ['Ollama', '/api/chat'],
  ]) {
    await page.getByRole('combobox', { name: 'API', exact: true }).click();
    await page.getByRole('option', { name: dialect }).click();
    await ask(page, { key, model: 'demo/demo', message: `In ${dialect}` });
    const answer = page.getByRole('region', { name: 'Answer of demo/demo' });
    await expect(answer).toContainText(`You wrote: "In ${dialect}"`);
    await expect(answer.getByRole('status')).toHaveText('complete');
    await expect(page.getByRole('region', { name: 'Answer of demo/other' })).toHaveCount(0);
    await expect.poll(async () => (await logged(page, 'demo/demo').catch(() => null))?.status, dialect).toBe(200);
    const { tokens, path: sentTo } = await logged(page, 'demo/demo');
    expect(sentTo).toContain(path);
    await expect(answer).toContainText(`Tokens in${tokens.in}`);
    await expect(answer).toContainText(`Tokens out${tokens.out}`);
  }
  await expectAccessible(page);

  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  expect(kept).not.toContain(key);
  await page.reload();
  await expect(page.getByLabel('API key')).toHaveValue('');
  expect(complaints).toEqual([]);
});

test('text is shown as it arrives, and an answer can be stopped', async ({ signedIn: page }) => {
  const key = await createKey(page, 'impatient');
  await page.goto('/dashboard/playground');
  // the demo provider pauses between the words of this model
  await ask(page, { key, model: 'demo/sim-gap-2000', message: 'Slowly' });
  const answer = page.getByRole('region', { name: 'Answer of demo/sim-gap-2000' });
  await expect(answer).toContainText('Hello');
  await expect(answer.getByRole('status')).toHaveText('arriving');
  await page.getByRole('button', { name: 'Stop' }).click();
  await expect(answer.getByRole('status')).toHaveText('stopped');
  await expect(answer).not.toContainText('to talk to a real one');
  await expect(page.getByRole('button', { name: 'Stop' })).toBeDisabled();
});

test('a refusal is shown with its code and the id to look for', async ({ signedIn: page }) => {
  await page.goto('/dashboard/playground');
  await ask(page, { key: 'sk-nobody', model: 'demo/demo', message: 'Hello' });
  const answer = page.getByRole('region', { name: 'Answer of demo/demo' });
  await expect(answer.getByRole('alert')).toContainText('Invalid API key');
  await expect(answer.getByRole('alert')).toContainText('invalid_api_key');
  await expect(answer.getByRole('alert')).toContainText((await answer.locator('code').textContent()) ?? 'no id');
  await expectAccessible(page);

  const key = await createKey(page, 'lost');
  await page.goto('/dashboard/playground');
  await ask(page, { key, model: 'nowhere/model', message: 'Hello' });
  await expect(page.getByRole('alert')).toContainText('No credentials for provider: nowhere');
  await expect(page.getByRole('alert')).toContainText('bad_request');
});
