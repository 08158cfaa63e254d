import { searchText } from '../parts/search-text';

/** Which calls to providers are shown, as the address has it. */
export type ProxyLogFilter = { status?: Status; type?: Type; level?: Level; provider?: string; text?: string };

export const STATUSES = ['ok', 'error', 'timeout'] as const;
export const TYPES = ['http', 'https', 'socks5'] as const;
/** Whose proxy it was; `key` is an account's. */
export const LEVELS = ['global', 'provider', 'combo', 'key', 'direct'] as const;

export type Status = (typeof STATUSES)[number];
export type Type = (typeof TYPES)[number];
export type Level = (typeof LEVELS)[number];

/** What an address or a form says; whatever else it says is left out. */
export function readProxyLogFilter(search: Record<string, unknown>): ProxyLogFilter {
  const status = STATUSES.find((known) => known === search.status);
  const type = TYPES.find((known) => known === search.type);
  const level = LEVELS.find((known) => known === search.level);
  const [provider, part] = [searchText(search.provider), searchText(search.text)];
  return {
    ...(status && { status }),
    ...(type && { type }),
    ...(level && { level }),
    ...(provider && { provider }),
    ...(part && { text: part }),
  };
}
