import { Alert } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';

export type Role = components['schemas']['Role'];

/** In rising order; each may do what those before it may. */
export const roles: Role[] = ['viewer', 'operator', 'admin', 'owner'];

export const sessionQuery = { queryKey: ['session'], queryFn: () => unwrap(api.GET('/api/auth/status')) };

/** Who is signed in. Where login is switched off, everybody is an owner. */
export function useRole(): Role {
  const { data } = useQuery(sessionQuery);
  return data?.account?.role ?? 'owner';
}

export const mayAct = (own: Role, needed: Role) => roles.indexOf(own) >= roles.indexOf(needed);

/**
 * A page that one may look at with any role and change with `role` or a higher one. What changes things is disabled for
 * the others, and the page says why; the management API would refuse it anyway.
 */
export function Needs({ role, children }: { role: Role; children: ReactNode }) {
  const own = useRole();
  const may = mayAct(own, role);
  return (
    <fieldset disabled={!may} style={{ border: 0, margin: 0, padding: 0, minWidth: 0 }}>
      {!may && (
        <Alert color="gray" mb="md">
          {t('Your role is {own}. Changing something here takes the role {role}.', { own, role })}
        </Alert>
      )}
      {children}
    </fieldset>
  );
}
