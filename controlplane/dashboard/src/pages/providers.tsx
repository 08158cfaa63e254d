import { Badge, Button, Card, Code, Group, Stack, Text, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlugConnected, IconServerBolt, IconUserPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { rich, t } from '../i18n';
import { api, settle, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { confirmDelete } from '../parts/confirm';
import { showApplied } from '../parts/failure';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { DeleteButton } from '../parts/delete-button';
import { Connections } from './providers/connections';
import { groupByProvider, type Provider } from './providers/groups';
import { NewConnection } from './providers/new-connection';
import { NewEndpoint } from './providers/new-endpoint';
import { SignIn } from './providers/sign-in';

type Node = components['schemas']['NodeView'];

const lists = {
  queryKey: ['providers', 'page'],
  queryFn: async () => {
    const [{ connections }, { nodes }, { catalog }] = await Promise.all([
      unwrap(api.GET('/api/providers')),
      unwrap(api.GET('/api/provider-nodes')),
      unwrap(api.GET('/api/models/catalog')),
    ]);
    return { groups: groupByProvider(connections, catalog), nodes, catalog };
  },
};

export function ProvidersPage() {
  const client = useQueryClient();
  const query = useQuery(lists);
  const refresh = () => client.invalidateQueries({ queryKey: ['providers'] });
  const [connecting, connection] = useDisclosure();
  const [adding, endpoint] = useDisclosure();
  const [signingIn, account] = useDisclosure();

  const removeNode = useMutation({
    mutationFn: (id: string) =>
      settle(api.DELETE('/api/provider-nodes/{id}', { params: { path: { id }, query: { wait: 'applied' } } })),
    onSuccess: ({ applied }) => showApplied(t('Endpoint deleted'), applied),
    onSettled: refresh,
  });

  const add = (
    <Group gap="xs">
      <Button leftSection={<IconPlugConnected size={16} />} onClick={connection.open}>
        {t('Add connection')}
      </Button>
      <Button variant="default" leftSection={<IconUserPlus size={16} />} onClick={account.open}>
        {t('Sign in')}
      </Button>
      <Button variant="default" leftSection={<IconServerBolt size={16} />} onClick={endpoint.open}>
        {t('Add endpoint')}
      </Button>
    </Group>
  );
  return (
    <>
      <PageHeader title={t('Providers')} hint={t('Where requests go: stored credentials, and endpoints of your own.')} action={add} />
      <Loaded
        query={query}
        empty={({ groups }) =>
          groups.length === 0 && (
            <Empty
              title={t('No provider yet')}
              hint={t("Add a connection with the key of a provider, or an endpoint that speaks a provider's API.")}
              action={add}
            />
          )
        }
      >
        {({ groups, nodes }) => (
          <Stack>
            {groups.map((group) => (
              <Card withBorder key={group.id} component="section" aria-label={group.name}>
                <ProviderHeader
                  provider={group}
                  node={nodes.find((node) => node.id === group.id)}
                  onDelete={() =>
                    confirmDelete(group.name, t('Its connections go with it, and requests to it are refused from now on.'), () =>
                      removeNode.mutate(group.id),
                    )
                  }
                />
                <Connections connections={group.connections} onChanged={refresh} />
              </Card>
            ))}
          </Stack>
        )}
      </Loaded>
      <NewConnection opened={connecting} catalog={query.data?.catalog ?? {}} onClose={connection.close} onSaved={refresh} />
      <SignIn opened={signingIn} onClose={account.close} onSaved={refresh} />
      <NewEndpoint opened={adding} onClose={endpoint.close} onSaved={refresh} />
    </>
  );
}

function ProviderHeader({ provider, node, onDelete }: { provider: Provider; node: Node | undefined; onDelete: () => void }) {
  return (
    <Group justify="space-between" align="flex-start" mb="xs" wrap="nowrap">
      <div>
        <Group gap="xs">
          <Title order={2} size="h4">
            {provider.name}
          </Title>
          {node && (
            <Badge variant="default" tt="none">
              {node.type}
            </Badge>
          )}
        </Group>
        <Text size="sm" c="dimmed">
          {node
            ? rich('Models begin with {prefix} and are served by {address}', { prefix: <Code>{provider.prefix}/</Code>, address: node.baseUrl })
            : rich('Models begin with {prefix}', { prefix: <Code>{provider.prefix}/</Code> })}
        </Text>
      </div>
      {node && <DeleteButton what={t('endpoint {name}', { name: provider.name })} onClick={onDelete} />}
    </Group>
  );
}
