import type { QueryClient } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import { mayAct, sessionQuery } from '../../parts/authority';

export const STEPS = ['password', 'provider', 'key', 'watch'] as const;
export type Step = (typeof STEPS)[number];

/** How far this installation is. */
export type Progress = {
  /** The first password was drawn by a machine, and still stands in the log of a terminal. */
  hasDrawnPassword: boolean;
  /** There is somebody to ask besides the demo provider, which a first start sets up by itself. */
  hasOwnProvider: boolean;
  hasTraffic: boolean;
};

/** The prefix of the demo provider that a first start sets up. */
export const DEMO_PREFIX = 'demo';

const SKIPPED_AS = 'omniroute.setup.skipped';

/** Only whether the wizard opens by itself; it stays where it is. */
export function skip(): void {
  try {
    localStorage.setItem(SKIPPED_AS, 'yes');
  } catch {
    // nothing is stored here: it opens again after the next login
  }
}

function isSkipped(): boolean {
  try {
    return localStorage.getItem(SKIPPED_AS) !== null;
  } catch {
    return false;
  }
}

export const setupQuery = {
  queryKey: ['setup'],
  queryFn: async (): Promise<Progress> => {
    const recorded = (action: string) => unwrap(api.GET('/api/compliance/audit-log', { params: { query: { action, limit: 1 } } }));
    const [{ connections }, { nodes }, requests, drawn, changed] = await Promise.all([
      unwrap(api.GET('/api/providers')),
      unwrap(api.GET('/api/provider-nodes')),
      unwrap(api.GET('/api/usage/request-logs', { params: { query: { limit: 1 } } })),
      recorded('auth.password.generated'),
      recorded('auth.password.changed'),
    ]);
    const demo = nodes.find((node) => node.prefix === DEMO_PREFIX)?.id;
    return {
      hasDrawnPassword: drawn.length > 0 && changed.length === 0,
      hasOwnProvider: connections.some(({ provider }) => provider !== demo),
      hasTraffic: requests.length > 0,
    };
  },
};

export const isNew = ({ hasOwnProvider, hasTraffic }: Progress) => !hasOwnProvider && !hasTraffic;

/** Where to go on. */
export function firstOpen(progress: Progress): Step {
  if (progress.hasDrawnPassword) return 'password';
  if (isNew(progress)) return 'provider';
  return progress.hasTraffic ? 'watch' : 'key';
}

export const readStep = (value: unknown): Step | undefined => STEPS.find((step) => step === value);

/** After a login: whether there is nothing to see yet but the wizard, for somebody who may do what it does. */
export async function opensByItself(client: QueryClient): Promise<boolean> {
  if (isSkipped()) return false;
  try {
    const { account } = await client.fetchQuery(sessionQuery);
    if (account && !mayAct(account.role, 'admin')) return false;
    return isNew(await client.fetchQuery(setupQuery));
  } catch {
    // whoever has just signed in wants to get in: the page they land on says what does not work
    return false;
  }
}
