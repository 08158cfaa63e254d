import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '../api/client';

/** What people call a provider: an endpoint of their own goes by its prefix, as in the names of its models. */
export function useProviderName(): (id: string | null | undefined) => string {
  const { data: prefixes } = useQuery({
    queryKey: ['provider-nodes', 'prefixes'],
    queryFn: async () => {
      const { nodes } = await unwrap(api.GET('/api/provider-nodes'));
      return new Map(nodes.map((node) => [node.id, node.prefix]));
    },
  });
  return (id) => (id && prefixes?.get(id)) || id || '–';
}
