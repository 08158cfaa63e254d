import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { api, unwrap } from './api/client';
import { Frame } from './frame';
import { AliasesPage } from './pages/aliases';
import { CombosPage } from './pages/combos';
import { KeysPage } from './pages/keys';
import { LoginPage } from './pages/login';
import { OverviewPage } from './pages/overview';
import { ProvidersPage } from './pages/providers';
import { RequestsPage } from './pages/requests';
import { TeamPage } from './pages/team';
import { type Range, readRange } from './pages/usage-range';
import { Needs } from './parts/authority';
import { NotFound } from './parts/states';

const rootRoute = createRootRoute({ notFoundComponent: NotFound });

const loginRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/login',
  validateSearch: (search): { next?: string; failed?: string } => ({
    ...(typeof search.next === 'string' && { next: search.next }),
    ...(typeof search.failed === 'string' && { failed: search.failed }),
  }),
  component: LoginPage,
});

const frameRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: 'frame',
  component: Frame,
  beforeLoad: async ({ location }) => {
    const status = await unwrap(api.GET('/api/auth/status'));
    if (!status.authenticated && status.requireLogin !== false) {
      throw redirect({ to: '/login', search: { next: location.pathname } });
    }
  },
});

// charts are larger than everything else together, and come when they are looked at
const usageRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/usage',
  validateSearch: (search): { range?: Range } => {
    const range = readRange(search.range);
    return range ? { range } : {};
  },
  component: lazyRouteComponent(() => import('./pages/usage'), 'UsagePage'),
});

const apiRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/api',
  component: lazyRouteComponent(() => import('./pages/api'), 'ApiPage'),
});

const backupsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/backups',
  component: lazyRouteComponent(() => import('./pages/backups'), 'BackupsPage'),
});

const pages = [
  createRoute({ getParentRoute: () => frameRoute, path: '/', component: OverviewPage }),
  createRoute({ getParentRoute: () => frameRoute, path: '/providers', component: () => <Needs role="operator"><ProvidersPage /></Needs> }),
  createRoute({ getParentRoute: () => frameRoute, path: '/combos', component: () => <Needs role="operator"><CombosPage /></Needs> }),
  createRoute({ getParentRoute: () => frameRoute, path: '/aliases', component: () => <Needs role="operator"><AliasesPage /></Needs> }),
  createRoute({ getParentRoute: () => frameRoute, path: '/keys', component: () => <Needs role="admin"><KeysPage /></Needs> }),
  createRoute({ getParentRoute: () => frameRoute, path: '/requests', component: RequestsPage }),
  createRoute({ getParentRoute: () => frameRoute, path: '/team', component: TeamPage }),
  apiRoute,
  usageRoute,
  backupsRoute,
] as const;

export const router = createRouter({
  routeTree: rootRoute.addChildren([loginRoute, frameRoute.addChildren([...pages])]),
  basepath: '/dashboard',
  defaultPreload: 'intent',
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
