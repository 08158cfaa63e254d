import { Alert, Button, Card, Group, Stack } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlugConnected, IconServerBolt, IconStethoscope, IconUserPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../i18n';
import { api, settle, unwrap } from '../api/client';
import { confirmDelete } from '../parts/confirm';
import { FailureText, showApplied } from '../parts/failure';
import { proxiesQuery } from '../parts/proxies';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { Connections } from './providers/connections';
import { EndpointDialog, type Node } from './providers/endpoint-dialog';
import { find, groupByProvider } from './providers/groups';
import { ProviderHeader } from './providers/header';
import { Models } from './providers/models';
import { NewConnection } from './providers/new-connection';
import { ProxiesDialog } from './providers/proxies-dialog';
import { SignIn } from './providers/sign-in';
import { standingQuery } from './providers/standing';
import { TestBatch } from './providers/test-batch';

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
  const standing = useQuery(standingQuery);
  const proxies = useQuery(proxiesQuery);
  const refresh = () => client.invalidateQueries({ queryKey: ['providers'] });
  const [connecting, connection] = useDisclosure();
  const [signingIn, account] = useDisclosure();
  // what is chosen when the dialog opens: a kind of connections, or a provider
  const [tested, test] = useState<string | null>(null);
  const [listed, list] = useState<string | null>(null);
  const [routed, route] = useState<string | null>(null);
  const [endpoint, editEndpoint] = useState<Node | 'new' | null>(null);

  const removeNode = useMutation({
    mutationFn: (id: string) =>
      settle(api.DELETE('/api/provider-nodes/{id}', { params: { path: { id }, query: { wait: 'applied' } } })),
    onSuccess: ({ applied }) => showApplied(t('Endpoint deleted'), applied),
    onSettled: refresh,
  });

  const group = (wanted: string | null) => query.data?.groups.find(({ id }) => id === wanted);
  const [models, ways] = [group(listed), group(routed)];
  const knownModels = (prefix: string) => (query.data?.catalog[prefix]?.models ?? []).map(({ id }) => id);
  const add = (
    <Group gap="xs">
      <Button leftSection={<IconPlugConnected size={16} />} onClick={connection.open}>
        {t('Add connection')}
      </Button>
      <Button variant="default" leftSection={<IconUserPlus size={16} />} onClick={account.open}>
        {t('Sign in')}
      </Button>
      <Button variant="default" leftSection={<IconServerBolt size={16} />} onClick={() => editEndpoint('new')}>
        {t('Add endpoint')}
      </Button>
      {(query.data?.groups.length ?? 0) > 0 && (
        <Button variant="default" leftSection={<IconStethoscope size={16} />} onClick={() => test('all')}>
          {t('Test all')}
        </Button>
      )}
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
        {({ groups, nodes, catalog }) => (
          <Stack>
            {standing.isError && (
              <Alert color="red" title={t('How providers do could not be loaded')}>
                <FailureText error={standing.error} />
              </Alert>
            )}
            {groups.map((group) => (
              <Card withBorder key={group.id} component="section" aria-label={group.name}>
                <ProviderHeader
                  provider={group}
                  node={nodes.find((node) => node.id === group.id)}
                  standing={standing.data}
                  proxies={proxies.data}
                  onTest={() => test(group.id)}
                  onModels={() => list(group.id)}
                  onProxies={() => route(group.id)}
                  onEdit={() => editEndpoint(nodes.find((node) => node.id === group.id) ?? null)}
                  onChanged={() => void refresh()}
                  onDelete={() =>
                    confirmDelete(group.name, t('Its connections go with it, and requests to it are refused from now on.'), () =>
                      removeNode.mutate(group.id),
                    )
                  }
                />
                <Connections
                  provider={group.name}
                  entry={find(catalog, group.id)}
                  connections={group.connections}
                  proxies={proxies.data?.keys ?? {}}
                  standing={standing.data}
                  onChanged={refresh}
                />
              </Card>
            ))}
          </Stack>
        )}
      </Loaded>
      <NewConnection opened={connecting} catalog={query.data?.catalog ?? {}} onClose={connection.close} onSaved={refresh} />
      <SignIn opened={signingIn} onClose={account.close} onSaved={refresh} />
      {tested && <TestBatch providers={query.data?.groups ?? []} first={tested} onClose={() => test(null)} onTested={() => void refresh()} />}
      {models && <Models provider={models} known={knownModels(models.prefix)} onClose={() => list(null)} />}
      {ways && <ProxiesDialog provider={ways} onClose={() => route(null)} />}
      {endpoint && <EndpointDialog {...(endpoint !== 'new' && { node: endpoint })} onClose={() => editEndpoint(null)} onSaved={() => void refresh()} />}
    </>
  );
}
