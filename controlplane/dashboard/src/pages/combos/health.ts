import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';

type Outage = components['schemas']['UnavailableView'];
type Metrics = Record<string, components['schemas']['ComboMetrics']>;

/** What is known of combos besides what they are: how they did, and what rests now. */
export type Health = { metrics: Metrics; outages: Outage[]; providers: Map<string, string> };

export const healthQuery = {
  queryKey: ['combos', 'health'],
  queryFn: async (): Promise<Health> => {
    const [{ metrics }, { models }, { catalog }, { nodes }] = await Promise.all([
      unwrap(api.GET('/api/combos/metrics')),
      unwrap(api.GET('/api/models/availability')),
      unwrap(api.GET('/api/models/catalog')),
      unwrap(api.GET('/api/provider-nodes')),
    ]);
    const providers = new Map([
      ...Object.entries(catalog).map(([prefix, { id }]) => [prefix, id] as const),
      ...nodes.map(({ id, prefix }) => [prefix, id] as const),
    ]);
    return { metrics: (metrics ?? {}) as Metrics, outages: models, providers };
  },
  refetchInterval: 5_000,
};

/**
 * What keeps a member from being asked, or some of its accounts: an alias or a combo leads elsewhere, and has nothing of
 * its own that could rest.
 */
export function outagesOf(member: string, { outages, providers }: Health): Outage[] {
  const slash = member.indexOf('/');
  if (slash < 0) return [];
  const prefix = member.slice(0, slash);
  const provider = providers.get(prefix) ?? prefix;
  const model = member.slice(slash + 1);
  return outages.filter((outage) => outage.provider === provider && (outage.model == null || outage.model === model));
}
