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
import { type Range, readRange } from './pages/usage-range';
import { NotFound } from './parts/states';

const rootRoute = createRootRoute({ notFoundComponent: NotFound });

const loginRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/login',
  validateSearch: (search): { next?: string } => (typeof search.next === 'string' ? { next: search.next } : {}),
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

const pages = [
  createRoute({ getParentRoute: () => frameRoute, path: '/', component: OverviewPage }),
  createRoute({ getParentRoute: () => frameRoute, path: '/providers', component: ProvidersPage }),
  createRoute({ getParentRoute: () => frameRoute, path: '/combos', component: CombosPage }),
  createRoute({ getParentRoute: () => frameRoute, path: '/aliases', component: AliasesPage }),
  createRoute({ getParentRoute: () => frameRoute, path: '/keys', component: KeysPage }),
  createRoute({ getParentRoute: () => frameRoute, path: '/requests', component: RequestsPage }),
  usageRoute,
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
