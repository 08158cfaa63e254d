import { isMoment, searchText } from '../parts/search-text';

/** Stretches of time that usage is summed up over, as the management API names them. */
export const RANGES = ['1d', '7d', '30d', '90d', 'ytd', 'all'] as const;
export type Range = (typeof RANGES)[number];

/** What is summed up, as the address has it: a range or a time of one's own, of everything or a part; `key` is an API key's id. */
export type UsageFilter = { range?: Range; from?: string; to?: string; provider?: string; model?: string; key?: string };

/** What an address or a form says; whatever else it says is left out. A time of one's own comes before a range. */
export function readUsageFilter(search: Record<string, unknown>): UsageFilter {
  const range = RANGES.find((known) => known === search.range);
  const [from, to, provider, model, key] = [search.from, search.to, search.provider, search.model, search.key].map(searchText);
  const span = { ...(isMoment(from) && { from }), ...(isMoment(to) && { to }) };
  return {
    ...(range && Object.keys(span).length === 0 && { range }),
    ...span,
    ...(provider && { provider }),
    ...(model && { model }),
    ...(/^[0-9a-f-]{36}$/.test(key ?? '') && { key }),
  };
}

/** The same in the words of the management API. */
export function usageQuery({ range, from, to, provider, model, key }: UsageFilter) {
  const moment = (local: string | undefined) => (local ? new Date(local).toISOString() : undefined);
  const span = from || to ? { from: moment(from), to: moment(to) } : { range: range ?? ('30d' as const) };
  return { ...span, provider, model, apiKeyId: key };
}
