import { api, unwrap } from '../api/client';

/** Combos, and models that a connection leads to. A provider may serve more, so any other can be written as well. */
export const callableModelsQuery = {
  queryKey: ['callable-models'],
  queryFn: async (): Promise<string[]> => {
    const [{ catalog }, { combos }] = await Promise.all([
      unwrap(api.GET('/api/models/catalog', { params: { query: { active: true, type: 'chat' } } })),
      unwrap(api.GET('/api/combos')),
    ]);
    return [...combos.map((combo) => combo.name), ...Object.values(catalog).flatMap(({ models }) => models.map((model) => model.id))];
  },
};
