import { Badge, Button, Code, Stack, Table, Text, VisuallyHidden } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { apiWord } from '../../parts/api-words';
import { mayAct, useRole } from '../../parts/authority';
import { confirmAct } from '../../parts/confirm';
import { amount, span, when } from '../../parts/numbers';
import { Section } from '../../parts/section';
import { describe } from './errors';

type Fleet = components['schemas']['DataPlaneList'];
type DataPlane = components['schemas']['DataPlaneView'];

const COLORS: Record<string, string> = { ready: 'teal', degraded: 'red', gone: 'red' };

/** Which configuration each data plane runs, and what it could not use of it. */
export function DataPlanes({ fleet, single, onBegun }: { fleet: Fleet; single: boolean; onBegun: (operation: string) => void }) {
  const client = useQueryClient();
  const may = mayAct(useRole(), 'admin');
  const drain = useMutation({
    mutationFn: (id: string) => unwrap(api.POST('/api/dataplanes/{id}/drain', { params: { path: { id } }, body: {} })),
    onSuccess: ({ operationId }) => onBegun(operationId),
    onSettled: () => client.invalidateQueries({ queryKey: ['dataplanes'] }),
  });
  const confirmDrain = (id: string, others: number) =>
    confirmAct({
      title: t('Drain {id}?', { id }),
      consequence:
        others > 0
          ? t('It takes no new requests, finishes those it has, and ends. The other data planes take over.')
          : t('It takes no new requests, finishes those it has, and ends. No other data plane is ready: until one starts, every request is refused.'),
      confirm: t('Drain'),
      cancel: t('Leave it'),
      onConfirm: () => drain.mutate(id),
    });
  return (
    <Section title={t('Data planes')} hint={t('Those that were heard of within a day.')}>
      <Table.ScrollContainer minWidth={single ? 760 : 880}>
        <Table verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('Data plane')}</Table.Th>
              <Table.Th>{t('State')}</Table.Th>
              <Table.Th>{t('Revision')}</Table.Th>
              <Table.Th>{t('Version')}</Table.Th>
              <Table.Th ta="right">{t('Requests now')}</Table.Th>
              <Table.Th ta="right">{t('Last heard of')}</Table.Th>
              {!single && (
                <Table.Th>
                  <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                </Table.Th>
              )}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {fleet.dataPlanes.map((plane) => (
              <Table.Tr key={plane.id}>
                <Table.Td>
                  <Code>{plane.id}</Code>
                  <Text size="xs" c="dimmed">
                    {plane.address}
                  </Text>
                  <Text size="xs" c="dimmed">
                    {t('known since {firstSeen}', { firstSeen: when(plane.firstSeen) })}
                  </Text>
                </Table.Td>
                <Table.Td>
                  <State plane={plane} />
                </Table.Td>
                <Table.Td>
                  <Revision plane={plane} newest={fleet.configRevision} />
                </Table.Td>
                <Table.Td>{plane.version}</Table.Td>
                <Table.Td ta="right">{amount(plane.inflight)}</Table.Td>
                <Table.Td ta="right">
                  <time dateTime={plane.lastSeen}>{t('{lagMs} ago', { lagMs: span(plane.lagMs) })}</time>
                </Table.Td>
                {!single && (
                  <Table.Td ta="right">
                    <Button
                      size="xs"
                      variant="light"
                      disabled={!may || !plane.connected || plane.status === 'draining'}
                      loading={drain.isPending && drain.variables === plane.id}
                      onClick={() => confirmDrain(plane.id, others(fleet, plane))}
                      aria-label={t('Drain {id}', { id: plane.id })}
                    >
                      {t('Drain')}
                    </Button>
                  </Table.Td>
                )}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Section>
  );
}

const others = ({ dataPlanes }: Fleet, { id }: DataPlane) =>
  dataPlanes.filter((plane) => plane.id !== id && plane.connected && plane.status === 'ready').length;

function State({ plane }: { plane: DataPlane }) {
  return (
    <Stack gap={2} align="flex-start">
      <Badge variant="light" color={COLORS[plane.status] ?? 'gray'} tt="none">
        {apiWord(plane.status)}
      </Badge>
      {!plane.connected && plane.status !== 'gone' && <Text size="xs">{t('not connected')}</Text>}
      {plane.storeDegraded && <Text size="xs">{t('its state store is slow or gone')}</Text>}
      {plane.spoolBytes > 0 && (
        <Text size="xs">{t('{spoolBytes} bytes of finished requests wait to be accounted', { spoolBytes: amount(plane.spoolBytes) })}</Text>
      )}
      {plane.spoolDropped > 0 && (
        <Text size="xs">{t('{spoolDropped} requests were not accounted', { spoolDropped: amount(plane.spoolDropped) })}</Text>
      )}
    </Stack>
  );
}

function Revision({ plane, newest }: { plane: DataPlane; newest: number }) {
  const behind = newest - plane.revision;
  return (
    <>
      <Text size="sm">{t('{revision} of {newest}', { revision: plane.revision, newest })}</Text>
      {behind > 0 && <Text size="xs">{t('{behind} behind', { behind })}</Text>}
      {plane.rejectedRevision != null && <Text size="xs">{t('refused {rejectedRevision}', { rejectedRevision: plane.rejectedRevision })}</Text>}
      {plane.errors.map((error) => (
        <Text size="xs" key={JSON.stringify(error)} style={{ overflowWrap: 'anywhere' }}>
          {describe(error)}
        </Text>
      ))}
    </>
  );
}
