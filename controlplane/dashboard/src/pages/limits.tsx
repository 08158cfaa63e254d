import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import { amount, span } from '../parts/numbers';
import { Section } from '../parts/section';
import { Loaded, PageHeader } from '../parts/states';
import { Accounts } from './limits/accounts';
import { Conversations } from './limits/conversations';
import { RestingModels } from './limits/resting-models';

/** What is limited now, what rests, and which conversations go on. */
export function LimitsPage() {
  const query = useQuery({
    queryKey: ['rate-limits'],
    queryFn: () => unwrap(api.GET('/api/rate-limits')),
    refetchInterval: 3_000,
  });
  return (
    <>
      <PageHeader title={t('Limits')} hint={t('What is limited now, what rests, and which conversations go on.')} />
      <Stack gap="lg">
        <Loaded query={query}>
          {(limits) => (
            <Stack gap="lg">
              <Accounts accounts={limits.connections} />
              <RestingModels limits={limits} />
            </Stack>
          )}
        </Loaded>
        <Pace />
        <Conversations />
      </Stack>
    </>
  );
}

function Pace() {
  const query = useQuery({ queryKey: ['rate-limit'], queryFn: () => unwrap(api.GET('/api/rate-limit')) });
  return (
    <Section title={t('Pace')} hint={t('What every data plane keeps to with a protected account, as long as its provider says nothing stricter.')}>
      <Loaded query={query}>
        {({ defaults, protectedConnections }) => (
          <Text size="sm">
            {t(
              'Protected accounts: {protectedConnections}. Each gets {requestsPerMinute} requests per minute, {concurrentRequests} at a time, {minTimeBetweenRequests} apart.',
              {
                protectedConnections: amount(protectedConnections),
                requestsPerMinute: amount(defaults.requestsPerMinute),
                concurrentRequests: amount(defaults.concurrentRequests),
                minTimeBetweenRequests: span(defaults.minTimeBetweenRequests),
              },
            )}
          </Text>
        )}
      </Loaded>
    </Section>
  );
}
