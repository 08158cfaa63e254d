import { Anchor, Badge, Button, Card, Code, Group, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core';
import { IconRocket } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import type { Path } from '../navigation';
import { apiWord } from '../parts/api-words';
import { mayAct, useRole } from '../parts/authority';
import { callableModelsQuery } from '../parts/callable-models';
import { ClientSnippets } from '../parts/client-snippets';
import { SOME_KEY } from '../parts/clients';
import { healthQuery } from '../parts/health';
import { amount } from '../parts/numbers';
import { Figure } from '../parts/section';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { Day } from './overview/day';
import { isNew, setupQuery } from './setup/state';

export function OverviewPage() {
  const query = useQuery(healthQuery);
  const connections = useQuery({ queryKey: ['providers'], queryFn: () => unwrap(api.GET('/api/providers')) });
  const keys = useQuery({ queryKey: ['keys'], queryFn: () => unwrap(api.GET('/api/keys')) });

  return (
    <>
      <PageHeader title={t('Overview')} hint={t('What runs, and whether it is well.')} />
      <Loaded query={query}>
        {(data) => (
          <Stack gap="lg">
            <Begin />
            <SimpleGrid cols={{ base: 1, sm: 3 }}>
              <Figure label={t('Gateway')} value={<Standing status={data.status} />}>
                <Open to="/health" what={t('Health')} />
              </Figure>
              <Figure label={t('Connections')} value={connections.data ? amount(connections.data.connections.length) : '–'}>
                <Open to="/providers" what={t('Providers')} />
              </Figure>
              <Figure label={t('API keys')} value={keys.data ? amount(keys.data.keys.length) : '–'}>
                <Open to="/keys" what={t('API keys')} />
              </Figure>
            </SimpleGrid>
            <Day />
            <DataPlanes planes={'dataPlanes' in data ? data.dataPlanes : []} />
            <FirstRequest />
          </Stack>
        )}
      </Loaded>
    </>
  );
}

function Standing({ status }: { status: string }) {
  return (
    <Group gap="xs">
      {apiWord(status)}
      <Badge color={status === 'healthy' ? 'teal' : 'yellow'} circle aria-hidden />
    </Group>
  );
}

function Open({ to, what }: { to: Path; what: string }) {
  return (
    <Anchor component={Link} to={to} size="xs" underline="always" aria-label={t('Open {what}', { what })}>
      {t('Open')}
    </Anchor>
  );
}

type DataPlane = { id: string; version: string; revision: number; status: string; inflight: number; lagMs: number };

function DataPlanes({ planes }: { planes: DataPlane[] }) {
  return (
    <Card withBorder>
      <Title order={2} size="h4" mb="sm">
        {t('Data planes')}
      </Title>
      {planes.length === 0 ? (
        <Empty title={t('None is connected')} hint={t('A data plane appears here as soon as it reaches this control plane.')} />
      ) : (
        <Table.ScrollContainer minWidth={720}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('Data plane')}</Table.Th>
                <Table.Th>{t('State')}</Table.Th>
                <Table.Th>{t('Configuration')}</Table.Th>
                <Table.Th>{t('In flight')}</Table.Th>
                <Table.Th>{t('Version')}</Table.Th>
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
                      {apiWord(plane.status)}
                    </Badge>
                  </Table.Td>
                  <Table.Td>{t('revision {revision}', { revision: plane.revision })}</Table.Td>
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
        {t('Send a request')}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {t('Any OpenAI or Anthropic SDK works: set its base address to {origin}/v1 (Anthropic: {origin}) and use a key from the page API keys.', { origin })}
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
    <Card withBorder component="section" aria-label={t('Set up')}>
      <Group justify="space-between" gap="sm">
        <div>
          <Title order={2} size="h4">
            {t('Nothing has happened here yet')}
          </Title>
          <Text size="sm" c="dimmed">
            {t('Connect a provider, make a key, and watch the first request arrive.')}
          </Text>
        </div>
        <Button component={Link} to="/setup" leftSection={<IconRocket size={16} />}>
          {t('Set up')}
        </Button>
      </Group>
    </Card>
  );
}
