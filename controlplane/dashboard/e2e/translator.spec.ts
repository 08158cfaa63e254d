import { expect, expectAccessible, test } from './gateway';

const REQUEST = {
  model: 'demo/demo',
  max_tokens: 64,
  system: 'Be brief.',
  top_k: 5,
  messages: [{ role: 'user', content: 'Good morning' }],
};

test('a request is recognised, said in the other dialects with what is lost, and sent', async ({ complaints, signedIn: page }) => {
  await page.goto('/dashboard/');
  await page.getByRole('link', { name: 'Translator', exact: true }).click();
  const text = page.getByRole('textbox', { name: 'Request' });
  await text.fill('{ "model": ');
  await page.getByRole('button', { name: 'Translate' }).click();
  await expect(text).toHaveAccessibleDescription(/This is no JSON/);

  await text.fill(JSON.stringify(REQUEST));
  await page.getByRole('button', { name: 'Translate' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Anthropic Messages' })).toBeVisible();
  for (const [name, format] of [
    ['OpenAI Chat Completions', 'openai_chat'],
    ['OpenAI Responses', 'openai_responses'],
    ['Gemini', 'gemini'],
    ['Ollama', 'ollama_chat'],
  ] as const) {
    const asked = await page.request.post('/api/translator/translate', {
      data: { body: REQUEST, targetFormat: format },
      headers: { origin: new URL(page.url()).origin },
    });
    const { result, notes } = await asked.json();
    const card = page.getByRole('region', { name, exact: true });
    expect(JSON.parse((await card.locator('pre').textContent()) ?? '')).toEqual(result);
    for (const note of notes) await expect(card).toContainText(`${note.field}: ${note.detail}`);
  }
  await expect(page.getByRole('region', { name: 'OpenAI Chat Completions' })).toContainText('lost');
  await expect(page.getByRole('region', { name: 'Anthropic Messages' })).toHaveCount(0);

  await page.getByRole('button', { name: 'Send' }).click();
  const answer = page.getByRole('region', { name: 'Answer' });
  await expect(answer).toContainText('You wrote: \\"Good morning\\"');
  await expect(answer).toContainText('in the dialect Anthropic Messages');
  const newest = page.getByRole('region', { name: 'Tried before' }).getByRole('row').nth(1);
  await expect(newest).toContainText('sent');
  await expect(newest).toContainText('demo/demo');
  await expectAccessible(page);
  expect(complaints).toEqual([]);
});

test('a request that no provider takes says why', async ({ signedIn: page }) => {
  await page.goto('/dashboard/translator');
  await page.getByLabel('Send to').fill('nowhere/model');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page.getByRole('alert')).toContainText('No credentials for provider: nowhere');
  await expect(page.getByRole('alert')).toContainText('VALIDATION_001');
});
