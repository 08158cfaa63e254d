import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';

type Breaker = components['schemas']['BreakerStanding'];
type Figures = components['schemas']['ProviderFigures'];
type Limits = components['schemas']['RateLimitsView'];

/** How providers do now, and how they did. */
export type Standing = { breakers: Record<string, Breaker>; figures: Record<string, Figures>; limits: Limits };

export const standingQuery = {
  queryKey: ['providers', 'standing'],
  queryFn: async (): Promise<Standing> => {
    const [health, { metrics }, limits] = await Promise.all([
      unwrap(api.GET('/api/monitoring/health')),
      unwrap(api.GET('/api/provider-metrics')),
      unwrap(api.GET('/api/rate-limits')),
    ]);
    return { breakers: 'providerHealth' in health ? health.providerHealth : {}, figures: metrics, limits };
  },
  refetchInterval: 5_000,
};

/** Why an account is not asked for something now: it rests as a whole, or some of its models do. */
export type Rest = { until: string | null; models: { model: string; remainingMs: number; reason: string }[] };

export function restOf(connectionId: string, { connections, lockouts }: Limits): Rest {
  return {
    until: connections.find((connection) => connection.connectionId === connectionId)?.cooldownUntil ?? null,
    models: lockouts.filter((lockout) => lockout.connectionId === connectionId),
  };
}
