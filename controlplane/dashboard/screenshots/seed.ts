import type { APIRequestContext } from '@playwright/test';
import { type Gateway, expect } from '../e2e/gateway';

/** What a small team's gateway may look like after a morning: everything in it is asked of the demo provider. */
const KEYS = ['checkout-service', 'support-bot', 'alice'];
const QUESTIONS = ['Summarise this ticket', 'Translate it to French', 'Write a test for it', 'Name three risks', 'What changed since yesterday?'];
const ROUNDS = 4;

export type Seeded = { requestId: string };

export async function seed(gateway: Gateway, api: APIRequestContext): Promise<Seeded> {
  const manage = async <T>(method: string, path: string, data?: object): Promise<T> => {
    const answer = await api.fetch(path, { method, data, headers: { origin: gateway.address } });
    expect(answer.ok(), `${method} ${path}: ${await answer.text()}`).toBe(true);
    return (await answer.json()) as T;
  };
  const endpoint = { name: 'GPU server', prefix: 'gpu', type: 'openai-compatible', apiType: 'chat', baseUrl: gateway.demo, allowPrivateAddress: true };
  const { node } = await manage<{ node: { id: string } }>('POST', '/api/provider-nodes', endpoint);
  await manage('POST', '/api/providers', { provider: node.id, name: 'rack 3', apiKey: 'any-key', defaultModel: 'demo', allowPrivateAddress: true });
  await manage('POST', '/api/combos', { name: 'smart', models: ['gpu/demo', 'demo/demo'] });
  await manage('PUT', '/api/models/alias', { alias: 'fast', model: 'demo/demo' });
  await manage('PUT', '/api/fallback/chains', { model: 'demo', chain: [{ provider: node.id }, { provider: 'openai', enabled: false }] });
  await manage('PUT', '/api/pricing', { demo: { demo: { input: 0.15, output: 0.6 } }, gpu: { demo: { input: 0.05, output: 0.2 } } });
  await manage('POST', '/api/providers/test-batch', { mode: 'all' });
  await manage('POST', '/api/accounts', { username: 'vera', role: 'operator', password: 'correct horse battery staple' });
  await manage('POST', '/api/policies', { name: 'Short answers of the GPU server', type: 'budget', priority: 20, conditions: { model_pattern: 'gpu/*' }, actions: { max_tokens: 2_048 } });
  await manage('PUT', '/api/pricing/periods', { provider: 'demo', model: 'demo', effectiveFrom: '2027-01-01T00:00:00Z', input: 0.12, output: 0.5 });
  await manage('PUT', '/api/db-backups');
  const keys: string[] = [];
  for (const name of KEYS) {
    const { id, key } = await manage<{ id: string; key: string }>('POST', '/api/keys?wait=applied', { name });
    keys.push(key);
    await manage('POST', '/api/usage/budget', { apiKeyId: id, monthlyLimitUsd: 40 });
  }

  const models = ['demo/demo', 'smart', 'fast', 'gpu/demo'];
  let sent = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [at, key] of keys.entries()) {
      for (const content of QUESTIONS) {
        const model = models[(at + sent) % models.length];
        await ask(gateway, key, model ?? 'smart', content);
        sent += 1;
      }
    }
    // once a round somebody mistypes a model
    await ask(gateway, keys[0] ?? '', 'demo-provider/demo', 'Hello');
    sent += 1;
  }
  await askAsAnthropic(gateway, keys[2] ?? '', 'smart', QUESTIONS[0] ?? '');
  sent += 1;
  type Request = { id: string; path: string; status: number };
  const logged = () => manage<Request[]>('GET', '/api/usage/request-logs?format=json&limit=1000');
  await expect.poll(async () => (await logged()).length, { timeout: 60_000 }).toBe(sent);
  const translated = (await logged()).find((request) => request.path === '/v1/messages' && request.status === 200);
  return { requestId: translated?.id ?? '' };
}

async function ask(gateway: Gateway, key: string, model: string, content: string): Promise<void> {
  const answer = await fetch(`${gateway.address}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content }] }),
  });
  await answer.text();
}

/** In another dialect than the demo provider speaks, and with something that it has no word for. */
async function askAsAnthropic(gateway: Gateway, key: string, model: string, content: string): Promise<void> {
  const answer = await fetch(`${gateway.address}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    body: JSON.stringify({ model, max_tokens: 200, top_k: 5, messages: [{ role: 'user', content }] }),
  });
  await answer.text();
}
