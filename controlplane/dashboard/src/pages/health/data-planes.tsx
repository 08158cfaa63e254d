import { Badge, Button, Code, Stack, Table, Text, VisuallyHidden } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { confirmAct } from '../../parts/confirm';
import { amount, span } from '../../parts/numbers';
import { Section } from '../../parts/section';
import { Empty, Loaded } from '../../parts/states';

type DataPlane = components['schemas']['DataPlaneView'];

const COLORS: Record<string, string> = { ready: 'teal', degraded: 'red', gone: 'red' };

/** Who serves requests, and which configuration each of them runs. */
export function DataPlanes({ onBegun }: { onBegun: (operation: string) => void }) {
  const client = useQueryClient();
  const query = useQuery({
    queryKey: ['dataplanes'],
    queryFn: () => unwrap(api.GET('/api/dataplanes')),
    refetchInterval: 3_000,
  });
  const drain = useMutation({
    mutationFn: (id: string) => unwrap(api.POST('/api/dataplanes/{id}/drain', { params: { path: { id } }, body: {} })),
    onSuccess: ({ operationId }) => onBegun(operationId),
    onSettled: () => client.invalidateQueries({ queryKey: ['dataplanes'] }),
  });
  const confirmDrain = (id: string) =>
    confirmAct({
      title: `Drain ${id}?`,
      consequence: 'It takes no new requests, finishes those it has, and ends. The other data planes take over.',
      confirm: 'Drain',
      cancel: 'Leave it',
      onConfirm: () => drain.mutate(id),
    });
  return (
    <Section title="Data planes" hint="Those that were heard of within a day.">
      <Loaded
        query={query}
        empty={(data) =>
          data.dataPlanes.length === 0 && <Empty title="No data plane" hint="Start one with the address of this control plane: it appears here." />
        }
      >
        {(data) => (
          <Table.ScrollContainer minWidth={880}>
            <Table verticalSpacing="xs">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Data plane</Table.Th>
                  <Table.Th>State</Table.Th>
                  <Table.Th>Revision</Table.Th>
                  <Table.Th>Version</Table.Th>
                  <Table.Th ta="right">Requests now</Table.Th>
                  <Table.Th ta="right">Last heard of</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>Actions</VisuallyHidden>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {data.dataPlanes.map((plane) => (
                  <Table.Tr key={plane.id}>
                    <Table.Td>
                      <Code>{plane.id}</Code>
                      <Text size="xs" c="dimmed">
                        {plane.address}
                      </Text>
                    </Table.Td>
                    <Table.Td>
                      <State plane={plane} />
                    </Table.Td>
                    <Table.Td>
                      <Revision plane={plane} newest={data.configRevision} />
                    </Table.Td>
                    <Table.Td>{plane.version}</Table.Td>
                    <Table.Td ta="right">{amount(plane.inflight)}</Table.Td>
                    <Table.Td ta="right">{span(plane.lagMs)} ago</Table.Td>
                    <Table.Td ta="right">
                      <Button
                        size="xs"
                        variant="light"
                        disabled={!plane.connected || plane.status === 'draining'}
                        loading={drain.isPending && drain.variables === plane.id}
                        onClick={() => confirmDrain(plane.id)}
                        aria-label={`Drain ${plane.id}`}
                      >
                        Drain
                      </Button>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Loaded>
    </Section>
  );
}

function State({ plane }: { plane: DataPlane }) {
  return (
    <Stack gap={2} align="flex-start">
      <Badge variant="light" color={COLORS[plane.status] ?? 'gray'} tt="none">
        {plane.status}
      </Badge>
      {!plane.connected && plane.status !== 'gone' && <Text size="xs">not connected</Text>}
      {plane.storeDegraded && <Text size="xs">its state store is slow or gone</Text>}
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
        <Text size="xs" key={JSON.stringify(error)}>
          {JSON.stringify(error)}
        </Text>
      ))}
    </>
  );
}
