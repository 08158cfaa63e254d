import { Anchor, SimpleGrid } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import { amount, dollars, milliseconds, percent } from '../../parts/numbers';
import { Figure, Section } from '../../parts/section';
import { Loaded } from '../../parts/states';

const DAY_MS = 86_400_000;
const EVERY_MS = 15_000;

/** What went through the gateway lately, what that cost, and how well and fast it was answered. */
export function Day() {
  const query = useQuery({
    queryKey: ['overview', 'day'],
    queryFn: async () => {
      const [{ summary, dailyTrend }, latency] = await Promise.all([
        unwrap(api.GET('/api/usage/analytics', { params: { query: { range: '1d' } } })),
        unwrap(api.GET('/api/telemetry/summary', { params: { query: { windowMs: DAY_MS } } })),
      ]);
      return { summary, errors: dailyTrend.reduce((sum, day) => sum + day.errors, 0), latency };
    },
    refetchInterval: EVERY_MS,
  });
  return (
    <Section
      title={t('The last 24 hours')}
      hint={t('Requests that reached a provider, or were answered without one.')}
      action={
        <Anchor size="sm" underline="always" renderRoot={(props) => <Link {...props} to="/usage" search={{ range: '1d' }} />}>
          {t('All of it')}
        </Anchor>
      }
    >
      <Loaded query={query}>
        {({ summary, errors, latency }) => (
          <SimpleGrid cols={{ base: 2, md: 4 }}>
            <Figure label={t('Requests')} value={amount(summary.totalRequests)}>
              {t('{tokens} tokens', { tokens: amount(summary.totalTokens) })}
            </Figure>
            <Figure label={t('Failed')} value={amount(errors)}>
              {summary.totalRequests === 0 ? t('of none') : t('{share} of them', { share: percent(errors / summary.totalRequests) })}
            </Figure>
            <Figure label={t('Spent')} value={dollars(summary.totalCost)}>
              {summary.unpricedRequests > 0
                ? t('{unpricedRequests} requests have no price', { unpricedRequests: amount(summary.unpricedRequests) })
                : t('every request has a price')}
            </Figure>
            <Figure label={t('Answers began within')} value={latency.count === 0 ? '–' : milliseconds(latency.p95)}>
              {latency.count === 0 ? t('no request in this time') : t('95 of 100; half within {p50}', { p50: milliseconds(latency.p50) })}
            </Figure>
          </SimpleGrid>
        )}
      </Loaded>
    </Section>
  );
}
