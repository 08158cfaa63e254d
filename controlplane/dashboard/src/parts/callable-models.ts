import { api, unwrap } from '../api/client';

/**
 * Combos, what connections name as their default, and models that a connection leads to. A provider may serve more, so
 * any other can be written as well.
 */
export const callableModelsQuery = {
  queryKey: ['callable-models'],
  queryFn: async (): Promise<string[]> => {
    const [{ catalog }, { combos }, { connections }, { nodes }] = await Promise.all([
      unwrap(api.GET('/api/models/catalog', { params: { query: { active: true, type: 'chat' } } })),
      unwrap(api.GET('/api/combos')),
      unwrap(api.GET('/api/providers', { params: { query: { isActive: true } } })),
      unwrap(api.GET('/api/provider-nodes')),
    ]);
    // an endpoint whose models nobody listed is not in the catalogue
    const prefixes = new Map([
      ...Object.entries(catalog).map(([prefix, { id }]) => [id, prefix] as const),
      ...nodes.map(({ id, prefix }) => [id, prefix] as const),
    ]);
    const preferred = connections.flatMap(({ provider, defaultModel }) => {
      const prefix = prefixes.get(provider);
      return prefix && defaultModel ? [`${prefix}/${defaultModel}`] : [];
    });
    const listed = Object.values(catalog).flatMap(({ models }) => models.map((model) => model.id));
    return [...new Set([...combos.map((combo) => combo.name), ...preferred, ...listed])];
  },
};
