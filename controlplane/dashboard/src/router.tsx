import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { api, unwrap } from './api/client';
import { Frame } from './frame';
import { AliasesPage } from './pages/aliases';
import { readAuditFilter } from './pages/audit-filter';
import { CombosPage } from './pages/combos';
import { KeysPage } from './pages/keys';
import { LoginPage } from './pages/login';
import { OverviewPage } from './pages/overview';
import { ProvidersPage } from './pages/providers';
import { readRequestFilter } from './pages/request-filter';
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

const healthRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/health',
  validateSearch: (search): { operation?: string } => (typeof search.operation === 'string' ? { operation: search.operation } : {}),
  component: lazyRouteComponent(() => import('./pages/health'), 'HealthPage'),
});

const CachePage = lazyRouteComponent(() => import('./pages/cache'), 'CachePage');
const cacheRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/cache',
  component: () => <Needs role="operator"><CachePage /></Needs>,
});

const LimitsPage = lazyRouteComponent(() => import('./pages/limits'), 'LimitsPage');
const limitsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/limits',
  component: () => <Needs role="operator"><LimitsPage /></Needs>,
});

const auditRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/audit',
  validateSearch: readAuditFilter,
  component: lazyRouteComponent(() => import('./pages/audit'), 'AuditPage'),
});

const requestsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/requests',
  validateSearch: readRequestFilter,
  component: RequestsPage,
});

const requestRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/requests/$id',
  component: lazyRouteComponent(() => import('./pages/request'), 'RequestPage'),
});

const playgroundRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/playground',
  component: lazyRouteComponent(() => import('./pages/playground'), 'PlaygroundPage'),
});

const settingsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/settings'), 'SettingsPage'),
});

const costsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/costs',
  component: lazyRouteComponent(() => import('./pages/costs'), 'CostsPage'),
});

const translatorRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/translator',
  component: lazyRouteComponent(() => import('./pages/translator'), 'TranslatorPage'),
});

const policiesRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/policies',
  component: lazyRouteComponent(() => import('./pages/policies'), 'PoliciesPage'),
});

const evalsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/evals',
  component: lazyRouteComponent(() => import('./pages/evals'), 'EvalsPage'),
});

const pages = [
  createRoute({ getParentRoute: () => frameRoute, path: '/', component: OverviewPage }),
  createRoute({ getParentRoute: () => frameRoute, path: '/providers', component: () => <Needs role="operator"><ProvidersPage /></Needs> }),
  createRoute({ getParentRoute: () => frameRoute, path: '/combos', component: () => <Needs role="operator"><CombosPage /></Needs> }),
  createRoute({ getParentRoute: () => frameRoute, path: '/aliases', component: () => <Needs role="operator"><AliasesPage /></Needs> }),
  createRoute({ getParentRoute: () => frameRoute, path: '/keys', component: () => <Needs role="admin"><KeysPage /></Needs> }),
  requestsRoute,
  requestRoute,
  createRoute({ getParentRoute: () => frameRoute, path: '/team', component: TeamPage }),
  apiRoute,
  usageRoute,
  cacheRoute,
  limitsRoute,
  healthRoute,
  auditRoute,
  backupsRoute,
  playgroundRoute,
  settingsRoute,
  costsRoute,
  translatorRoute,
  policiesRoute,
  evalsRoute,
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
