import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { singleProcessQuery } from '../../parts/single-process';
import type { Whereabouts } from '../providers/credential-fields';
import type { Catalog, Connection } from '../providers/groups';
import { DEMO_PREFIX } from './state';

type Node = components['schemas']['NodeView'];
export type Verdict = components['schemas']['TestView'];

/** What there is to connect to. A gateway that is one process serves the demo provider itself; a cluster has it somewhere else, if at all. */
export type Places = { connections: Connection[]; nodes: Node[]; catalog: Catalog; servesDemo: boolean };

/** A connection that was tried: what its provider said, and what it can be asked for, as clients write it. */
export type Tried = { connection: Connection; verdict: Verdict; models: string[] };

const wait = { query: { wait: 'applied' } } as const;

export const placesQuery = {
  queryKey: ['providers', 'setup'],
  queryFn: async (): Promise<Places> => {
    const [{ connections }, { nodes }, { catalog }, single] = await Promise.all([
      unwrap(api.GET('/api/providers')),
      unwrap(api.GET('/api/provider-nodes')),
      unwrap(api.GET('/api/models/catalog')),
      singleProcessQuery.queryFn(),
    ]);
    return { connections, nodes, catalog, servesDemo: single || nodes.some((node) => node.prefix === DEMO_PREFIX) };
  },
};

export const isDemo = ({ provider }: Connection, nodes: Node[]) => nodes.some(({ id, prefix }) => id === provider && prefix === DEMO_PREFIX);

/** The demo provider's connection, made anew where somebody deleted it. */
export async function connectDemo({ connections, nodes }: Places): Promise<Connection> {
  const existing = connections.find((connection) => connection.isActive && isDemo(connection, nodes));
  if (existing) return existing;
  const node =
    nodes.find(({ prefix }) => prefix === DEMO_PREFIX) ??
    (
      await unwrap(
        api.POST('/api/provider-nodes', {
          params: wait,
          body: {
            name: t('Demo provider'),
            prefix: DEMO_PREFIX,
            type: 'openai-compatible',
            apiType: 'chat',
            baseUrl: `${window.location.origin}/${DEMO_PREFIX}/v1`,
            allowPrivateAddress: true,
          },
        }),
      )
    ).node;
  // the same name and provider: a disabled one comes back instead of a second one
  const body = { provider: node.id, name: 'demo', apiKey: 'demo-needs-no-key', defaultModel: 'demo', allowPrivateAddress: true, isActive: true };
  return (await unwrap(api.POST('/api/providers', { params: wait, body }))).connection;
}

/** A connection of the same provider and name is replaced, so that a mistyped key can be typed again. */
export async function connect(provider: string, name: string, apiKey: string, providerSpecificData: Partial<Whereabouts>): Promise<Connection> {
  const body = { provider, name, apiKey, providerSpecificData };
  return (await unwrap(api.POST('/api/providers', { params: wait, body }))).connection;
}

/** Asks the provider whether it accepts the connection, and if so, for its models. */
export async function tryOut(connection: Connection): Promise<Tried> {
  const params = { path: { id: connection.id } };
  const verdict = await unwrap(api.POST('/api/providers/{id}/test', { params }));
  return { connection, verdict, models: verdict.valid ? await modelsOf(connection) : [] };
}

/** What the provider lists, or for one that lists nothing, what is known of it beforehand. */
async function modelsOf({ id, provider, defaultModel }: Connection): Promise<string[]> {
  const { catalog } = await unwrap(api.GET('/api/models/catalog'));
  const [prefix, entry] = Object.entries(catalog).find(([, { id }]) => id === provider) ?? [provider, undefined];
  const listed = await unwrap(api.GET('/api/providers/{id}/models', { params: { path: { id } } })).catch(() => null);
  const models = listed
    ? listed.models.flatMap(({ id, type }) => (type && type !== 'chat' ? [] : `${prefix}/${id}`))
    : (entry?.models ?? []).flatMap(({ id, type }) => (type === 'chat' ? id : []));
  const preferred = `${prefix}/${defaultModel}`;
  return models.includes(preferred) ? [preferred, ...models.filter((model) => model !== preferred)] : models;
}
