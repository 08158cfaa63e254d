import { Badge, Button, Code, Stack, Table, Text, VisuallyHidden } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
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
      title: `Drain ${id}?`,
      consequence:
        others > 0
          ? 'It takes no new requests, finishes those it has, and ends. The other data planes take over.'
          : 'It takes no new requests, finishes those it has, and ends. No other data plane is ready: until one starts, every request is refused.',
      confirm: 'Drain',
      cancel: 'Leave it',
      onConfirm: () => drain.mutate(id),
    });
  return (
    <Section title="Data planes" hint="Those that were heard of within a day.">
      <Table.ScrollContainer minWidth={single ? 760 : 880}>
        <Table verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Data plane</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>Revision</Table.Th>
              <Table.Th>Version</Table.Th>
              <Table.Th ta="right">Requests now</Table.Th>
              <Table.Th ta="right">Last heard of</Table.Th>
              {!single && (
                <Table.Th>
                  <VisuallyHidden>Actions</VisuallyHidden>
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
                    known since {when(plane.firstSeen)}
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
                  <time dateTime={plane.lastSeen}>{span(plane.lagMs)} ago</time>
                </Table.Td>
                {!single && (
                  <Table.Td ta="right">
                    <Button
                      size="xs"
                      variant="light"
                      disabled={!may || !plane.connected || plane.status === 'draining'}
                      loading={drain.isPending && drain.variables === plane.id}
                      onClick={() => confirmDrain(plane.id, others(fleet, plane))}
                      aria-label={`Drain ${plane.id}`}
                    >
                      Drain
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
        {plane.status}
      </Badge>
      {!plane.connected && plane.status !== 'gone' && <Text size="xs">not connected</Text>}
      {plane.storeDegraded && <Text size="xs">its state store is slow or gone</Text>}
      {plane.spoolBytes > 0 && <Text size="xs">{amount(plane.spoolBytes)} bytes of finished requests wait to be accounted</Text>}
      {plane.spoolDropped > 0 && <Text size="xs">{amount(plane.spoolDropped)} requests were not accounted</Text>}
    </Stack>
  );
}

function Revision({ plane, newest }: { plane: DataPlane; newest: number }) {
  const behind = newest - plane.revision;
  return (
    <>
      <Text size="sm">
        {plane.revision} of {newest}
      </Text>
      {behind > 0 && <Text size="xs">{behind} behind</Text>}
      {plane.rejectedRevision != null && <Text size="xs">refused {plane.rejectedRevision}</Text>}
      {plane.errors.map((error) => (
        <Text size="xs" key={JSON.stringify(error)} style={{ overflowWrap: 'anywhere' }}>
          {describe(error)}
        </Text>
      ))}
    </>
  );
}
