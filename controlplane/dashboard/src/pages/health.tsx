import { Alert, Anchor, SimpleGrid, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { t } from '../i18n';
import type { components } from '../api/schema';
import { Needs } from '../parts/authority';
import { type Health, type HealthReport, healthQuery } from '../parts/health';
import { span } from '../parts/numbers';
import { Figure } from '../parts/section';
import { useSingleProcess } from '../parts/single-process';
import { Loaded, PageHeader } from '../parts/states';
import { Latency } from './health/latency';
import { Providers } from './health/providers';
import { Processes } from './nodes/processes';

type Check = components['schemas']['DependencyCheck'];

const WORDS: Record<HealthReport['status'], { value: string; meaning: string }> = {
  healthy: { value: t('Healthy'), meaning: t('Everything works.') },
  degraded: { value: t('Degraded'), meaning: t('Requests are served, and something below does not work.') },
  unhealthy: { value: t('Unhealthy'), meaning: t('The database does not answer. Data planes go on with what they know.') },
};

export function HealthPage() {
  const query = useQuery(healthQuery);
  return (
    <>
      <PageHeader title={t('Health')} hint={t('Whether the gateway works, and what does not.')} />
      <Stack gap="lg">
        <Loaded query={query}>{(data) => <Summary health={data} />}</Loaded>
        <Needs role="operator">
          <Providers />
        </Needs>
        <Latency />
        <Ending />
      </Stack>
    </>
  );
}

/**
 * Restarting and stopping, where this page's process is all there is. Of several processes the page of nodes has the list
 * to choose from.
 */
function Ending() {
  const navigate = useNavigate();
  if (useSingleProcess() !== true) return null;
  // how far it is, is followed where operations are
  const follow = (operation: string) => void navigate({ to: '/nodes', search: { operation } });
  return (
    <Needs role="admin">
      <Processes planes={[]} single onBegun={follow} />
    </Needs>
  );
}

function Summary({ health }: { health: Health }) {
  const { value, meaning } = WORDS[health.status];
  if (!('system' in health)) return <Alert title={value}>{meaning}</Alert>;
  const ready = health.dataPlanes.filter((plane) => plane.status === 'ready').length;
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, md: 5 }}>
      <Figure label={t('Gateway')} value={value}>
        {meaning}
      </Figure>
      <Figure label={t('Control plane')} value={health.version}>
        {t('up for {uptime} on {platform}', { uptime: span(health.system.uptime * 1_000), platform: health.system.platform })}
      </Figure>
      <Dependency label={t('Database')} check={health.postgres} />
      <Dependency label={t('State store')} check={health.redis} />
      <Figure label={t('Data planes')} value={t('{count} of {all}', { count: ready, all: health.dataPlanes.length })}>
        {t('ready.')}{' '}
        <Anchor component={Link} to="/nodes" size="xs" underline="always">
          {t('All about them')}
        </Anchor>
      </Figure>
    </SimpleGrid>
  );
}

function Dependency({ label, check }: { label: string; check: Check }) {
  return (
    <Figure label={label} value={check.ok ? t('Answers ‹verb›') : t('Does not answer')}>
      {check.latencyMs == null ? t('not within 2 s') : t('within {value}', { value: span(Math.max(1, check.latencyMs)) })}
    </Figure>
  );
}
