import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { t } from '../i18n';

export type Proxy = components['schemas']['ProxyView'];
export type ProxyConfig = components['schemas']['ProxyConfigView'];

/** What has a proxy; `key` is a connection, as the management API calls it. */
export type Level = 'global' | 'provider' | 'combo' | 'key';
export type Place = { level: Level; id: string | null; name: string };
export type PlacedProxy = { level: Level; id: string | null; proxy: Proxy };

/** Whose proxy a call goes through, in words; `direct` is none. */
export const WAYS: Record<string, string> = {
  global: t('the proxy for everything'),
  provider: t('the provider’s proxy'),
  combo: t('the combo’s proxy'),
  key: t('the account’s proxy'),
  direct: t('no proxy'),
};

export const proxiesQuery = {
  // whatever is saved in the settings may change it
  queryKey: ['settings', 'proxy'],
  queryFn: async (): Promise<ProxyConfig> => {
    const answer = await unwrap(api.GET('/api/settings/proxy'));
    if (!('providers' in answer)) throw new Error('the API answered about one proxy, and was asked about all');
    return answer;
  },
};

/** Names a place in a list. */
export const placeKey = ({ level, id }: { level: Level; id: string | null }) => (id ? `${level} ${id}` : level);

export const addressOf = ({ type, username, host, port }: Proxy) => `${type}://${username ? `${username}@` : ''}${host}:${port}`;

/** All proxies, those closest to a connection last. */
export function placedProxies({ global, providers, combos, keys }: ProxyConfig): PlacedProxy[] {
  const of = (level: Level, map: Record<string, Proxy>) => Object.entries(map).map(([id, proxy]) => ({ level, id, proxy }));
  return [...(global ? [{ level: 'global' as const, id: null, proxy: global }] : []), ...of('provider', providers), ...of('combo', combos), ...of('key', keys)];
}

/**
 * The way of calls with a connection, or without one those of its provider: the closest proxy is the one. A combo's comes
 * between the two, for requests that name the combo.
 */
export function wayOf({ global, providers, keys }: ProxyConfig, provider: string, connection?: string): { level: Level; proxy: Proxy } | null {
  const own = connection === undefined ? undefined : keys[connection];
  if (own) return { level: 'key', proxy: own };
  const shared = providers[provider];
  if (shared) return { level: 'provider', proxy: shared };
  return global ? { level: 'global', proxy: global } : null;
}
