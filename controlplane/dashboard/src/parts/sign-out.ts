import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '../api/client';

/** Ends this session, or with `all` every session of whoever is signed in, and leads to the login. */
export function useSignOut(): (all?: boolean) => Promise<void> {
  const client = useQueryClient();
  const navigate = useNavigate();
  return async (all = false) => {
    await unwrap(api.POST('/api/auth/logout', { params: { query: { all } } }));
    client.clear();
    await navigate({ to: '/login', search: {} });
  };
}
