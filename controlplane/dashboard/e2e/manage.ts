import type { Page } from '@playwright/test';
import { type Gateway, expect } from './gateway';

/** What a test prepares is not what it tests: this asks the management API as whoever is signed in on the page. */
export async function manage<T>(gateway: Gateway, page: Page, method: string, path: string, data?: object): Promise<T> {
  const answer = await page.request.fetch(path, { method, data, headers: { origin: gateway.address } });
  expect(answer.ok(), `${method} ${path}: ${await answer.text()}`).toBe(true);
  return (await answer.json()) as T;
}

/** An account at a provider that is asked at `address`. */
export async function connect(gateway: Gateway, page: Page, name: string, address: string): Promise<string> {
  const body = {
    provider: 'openai',
    name,
    apiKey: 'any-key',
    allowPrivateAddress: true,
    providerSpecificData: { baseUrl: address },
  };
  type Answer = { connection: { id: string } };
  const { connection } = await manage<Answer>(gateway, page, 'POST', '/api/providers?wait=applied', body);
  return connection.id;
}

export async function disconnect(gateway: Gateway, page: Page, id: string): Promise<void> {
  await manage(gateway, page, 'DELETE', `/api/providers/${id}?wait=applied`);
}

type Profile = Record<string, number>;

/** From the first failure on a provider is left alone, for longer than a test takes. Returns what undoes that. */
export async function forgiveNothing(gateway: Gateway, page: Page): Promise<() => Promise<void>> {
  const { profiles } = await manage<{ profiles: { apikey: Profile } }>(gateway, page, 'GET', '/api/resilience');
  const set = (apikey: Profile) => manage<void>(gateway, page, 'PUT', '/api/resilience?wait=applied', { profiles: { apikey } });
  await set({ transientCooldown: 600_000, circuitBreakerThreshold: 1, circuitBreakerReset: 600_000 });
  return () => set(profiles.apikey);
}
