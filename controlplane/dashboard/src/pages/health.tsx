import { Alert, Anchor, SimpleGrid, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { Needs } from '../parts/authority';
import { span } from '../parts/numbers';
import { Figure } from '../parts/section';
import { Loaded, PageHeader } from '../parts/states';
import { Latency } from './health/latency';
import { Providers } from './health/providers';

type Health = components['schemas']['HealthView'];
type Report = components['schemas']['HealthReport'];
type Check = components['schemas']['DependencyCheck'];

const WORDS: Record<Report['status'], { value: string; meaning: string }> = {
  healthy: { value: 'Healthy', meaning: 'Everything works.' },
  degraded: { value: 'Degraded', meaning: 'Requests are served, and something below does not work.' },
  unhealthy: { value: 'Unhealthy', meaning: 'The database does not answer. Data planes go on with what they know.' },
};

/** Without its database the gateway answers 503, and still says what works. */
async function health(): Promise<Health> {
  const answer = await api.GET('/api/monitoring/health');
  if (answer.error && 'status' in answer.error) return answer.error;
  return unwrap(Promise.resolve(answer));
}

export function HealthPage() {
  const query = useQuery({ queryKey: ['health'], queryFn: health, refetchInterval: 5_000 });
  return (
    <>
      <PageHeader title="Health" hint="Whether the gateway works, and what does not." />
      <Stack gap="lg">
        <Loaded query={query}>{(data) => <Summary health={data} />}</Loaded>
        <Needs role="operator">
          <Providers />
        </Needs>
        <Latency />
      </Stack>
    </>
  );
}

function Summary({ health }: { health: Health }) {
  const { value, meaning } = WORDS[health.status];
  if (!('system' in health)) return <Alert title={value}>{meaning}</Alert>;
  const ready = health.dataPlanes.filter((plane) => plane.status === 'ready').length;
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, md: 5 }}>
      <Figure label="Gateway" value={value}>
        {meaning}
      </Figure>
      <Figure label="Control plane" value={health.version}>
        up for {span(health.system.uptime * 1_000)} on {health.system.platform}
      </Figure>
      <Dependency label="Database" check={health.postgres} />
      <Dependency label="State store" check={health.redis} />
      <Figure label="Data planes" value={`${ready} of ${health.dataPlanes.length}`}>
        ready.{' '}
        <Anchor component={Link} to="/nodes" size="xs" underline="always">
          All about them
        </Anchor>
      </Figure>
    </SimpleGrid>
  );
}

function Dependency({ label, check }: { label: string; check: Check }) {
  return (
    <Figure label={label} value={check.ok ? 'Answers' : 'Does not answer'}>
      {check.latencyMs == null ? 'not within 2 s' : `within ${span(Math.max(1, check.latencyMs))}`}
    </Figure>
  );
}
