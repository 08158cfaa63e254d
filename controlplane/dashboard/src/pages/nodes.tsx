import { Alert, SimpleGrid, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { Needs } from '../parts/authority';
import { amount, span } from '../parts/numbers';
import { Figure } from '../parts/section';
import { useSingleProcess } from '../parts/single-process';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { DataPlanes } from './nodes/data-planes';
import { OperationProgress } from './nodes/operation';
import { Processes } from './nodes/processes';

type Fleet = components['schemas']['DataPlaneList'];

/** Who serves requests, and taking them out one by one or all together. */
export function NodesPage() {
  const { operation } = useSearch({ from: '/frame/nodes' });
  const navigate = useNavigate();
  // part of the address, so that one can reload the page while a process restarts
  const follow = (id: string) => void navigate({ to: '/nodes', search: { operation: id } });
  const query = useQuery({ queryKey: ['dataplanes'], queryFn: () => unwrap(api.GET('/api/dataplanes')), refetchInterval: 3_000 });
  const single = useSingleProcess() ?? false;
  return (
    <>
      <PageHeader title={t('Nodes')} hint={t('Data planes serve the requests; this control plane tells them how.')} />
      <Stack gap="lg">
        {operation && <OperationProgress id={operation} onClose={() => void navigate({ to: '/nodes', search: {} })} />}
        <Loaded
          query={query}
          empty={(fleet) =>
            fleet.dataPlanes.length === 0 && (
              <Empty title={t('No data plane')} hint={t('Start one with the address of this control plane: it appears here.')} />
            )
          }
        >
          {(fleet) => (
            <Stack gap="lg">
              <Summary fleet={fleet} />
              {single && (
                <Alert color="gray" title={t('There is one process')}>
                  {t('Data plane and control plane are the same process here. It cannot be drained by itself, since this page would go with it: restart it or shut it down below.')}
                </Alert>
              )}
              <DataPlanes fleet={fleet} single={single} onBegun={follow} />
            </Stack>
          )}
        </Loaded>
        <Needs role="admin">
          <Processes planes={query.data?.dataPlanes ?? []} single={single} onBegun={follow} />
        </Needs>
      </Stack>
    </>
  );
}

function Summary({ fleet: { dataPlanes, configRevision } }: { fleet: Fleet }) {
  const ready = dataPlanes.filter((plane) => plane.connected && plane.status === 'ready');
  const current = ready.filter((plane) => plane.revision === configRevision);
  const silent = Math.max(...dataPlanes.filter((plane) => plane.connected).map((plane) => plane.lagMs), 0);
  return (
    <SimpleGrid cols={{ base: 2, md: 4 }}>
      <Figure label={t('Ready')} value={t('{count} of {all}', { count: ready.length, all: dataPlanes.length })}>
        {t('data planes')}
      </Figure>
      <Figure label={t('Configuration')} value={t('revision {revision}', { revision: configRevision })}>
        {current.length === ready.length ? t('on all that are ready') : t('on {count} of {all} that are ready', { count: current.length, all: ready.length })}
      </Figure>
      <Figure label={t('In flight')} value={amount(dataPlanes.reduce((sum, plane) => sum + plane.inflight, 0))}>
        {t('requests now')}
      </Figure>
      <Figure label={t('Longest silence')} value={span(silent)}>
        {t('of those that are connected')}
      </Figure>
    </SimpleGrid>
  );
}
