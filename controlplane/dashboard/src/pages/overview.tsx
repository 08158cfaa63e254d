import { Anchor, Badge, Button, Card, Code, Group, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core';
import { IconRocket } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, unwrap } from '../api/client';
import { mayAct, useRole } from '../parts/authority';
import { callableModelsQuery } from '../parts/callable-models';
import { ClientSnippets } from '../parts/client-snippets';
import { SOME_KEY } from '../parts/clients';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { isNew, setupQuery } from './setup/state';

const health = {
  queryKey: ['health'],
  queryFn: () => unwrap(api.GET('/api/monitoring/health')),
  refetchInterval: 5_000,
};

export function OverviewPage() {
  const query = useQuery(health);
  const connections = useQuery({ queryKey: ['providers'], queryFn: () => unwrap(api.GET('/api/providers')) });
  const keys = useQuery({ queryKey: ['keys'], queryFn: () => unwrap(api.GET('/api/keys')) });

  return (
    <>
      <PageHeader title="Overview" hint="What runs, and whether it is well." />
      <Loaded query={query}>
        {(data) => (
          <Stack gap="lg">
            <Begin />
            <SimpleGrid cols={{ base: 1, sm: 3 }}>
              <Figure label="Gateway" value={data.status} color={data.status === 'healthy' ? 'teal' : 'yellow'} />
              <Figure label="Connections" value={connections.data?.connections.length} to="/providers" />
              <Figure label="API keys" value={keys.data?.keys.length} to="/keys" />
            </SimpleGrid>
            <DataPlanes planes={'dataPlanes' in data ? data.dataPlanes : []} />
            <FirstRequest />
          </Stack>
        )}
      </Loaded>
    </>
  );
}

function Figure({ label, value, color, to }: { label: string; value: string | number | undefined; color?: string; to?: '/providers' | '/keys' }) {
  return (
    <Card withBorder>
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Group justify="space-between">
        <Text size="xl" fw={600}>
          {value ?? '–'}
        </Text>
        {color && <Badge color={color} circle aria-hidden />}
        {to && (
          <Anchor component={Link} to={to} size="sm">
            Open
          </Anchor>
        )}
      </Group>
    </Card>
  );
}

type DataPlane = { id: string; version: string; revision: number; status: string; inflight: number; lagMs: number };

function DataPlanes({ planes }: { planes: DataPlane[] }) {
  return (
    <Card withBorder>
      <Title order={2} size="h4" mb="sm">
        Data planes
      </Title>
      {planes.length === 0 ? (
        <Empty title="None is connected" hint="A data plane appears here as soon as it reaches this control plane." />
      ) : (
        <Table.ScrollContainer minWidth={720}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Data plane</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>Configuration</Table.Th>
                <Table.Th>In flight</Table.Th>
                <Table.Th>Version</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {planes.map((plane) => (
                <Table.Tr key={plane.id}>
                  <Table.Td>
                    <Code>{plane.id}</Code>
                  </Table.Td>
                  <Table.Td>
                    <Badge autoContrast color={plane.status === 'ready' ? 'teal' : 'yellow'}>
                      {plane.status}
                    </Badge>
                  </Table.Td>
                  <Table.Td>revision {plane.revision}</Table.Td>
                  <Table.Td>{plane.inflight}</Table.Td>
                  <Table.Td>{plane.version}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Card>
  );
}

function FirstRequest() {
  const models = useQuery(callableModelsQuery);
  const origin = window.location.origin;
  return (
    <Card withBorder>
      <Title order={2} size="h4" mb="xs">
        Send a request
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        Any OpenAI or Anthropic SDK works: set its base address to {origin}/v1 (Anthropic: {origin}) and use a key from the
        page API keys.
      </Text>
      <ClientSnippets origin={origin} apiKey={SOME_KEY} model={models.data?.[0] ?? 'demo/demo'} />
    </Card>
  );
}

/** While there is nobody to ask but the demo provider, and nobody has asked. */
function Begin() {
  const may = mayAct(useRole(), 'admin');
  const setup = useQuery(setupQuery);
  if (!may || !setup.data || !isNew(setup.data)) return null;
  return (
    <Card withBorder component="section" aria-label="Set up">
      <Group justify="space-between" gap="sm">
        <div>
          <Title order={2} size="h4">
            Nothing has happened here yet
          </Title>
          <Text size="sm" c="dimmed">
            Connect a provider, make a key, and watch the first request arrive.
          </Text>
        </div>
        <Button component={Link} to="/setup" leftSection={<IconRocket size={16} />}>
          Set up
        </Button>
      </Group>
    </Card>
  );
}
