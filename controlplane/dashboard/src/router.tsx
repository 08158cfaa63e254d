import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { ApiFailure, api, unwrap } from './api/client';
import type { components } from './api/schema';
import { Frame } from './frame';
import { readAuditFilter } from './pages/audit-filter';
import { readConsoleFilter } from './pages/console-filter';
import { LoginPage } from './pages/login';
import { OverviewPage } from './pages/overview';
import { readProxyLogFilter } from './pages/proxy-log-filter';
import { readRequestFilter } from './pages/request-filter';
import { readStep, type Step } from './pages/setup/state';
import { readUsageFilter } from './pages/usage-filter';
import { Needs, type Role } from './parts/authority';
import { sessionBegan } from './parts/signed-out';
import { Broken, NotFound } from './parts/states';

const rootRoute = createRootRoute({ notFoundComponent: NotFound });

// pages come when they are looked at; the first ones that somebody sees are here from the start
const ProvidersPage = lazyRouteComponent(() => import('./pages/providers'), 'ProvidersPage');
const CombosPage = lazyRouteComponent(() => import('./pages/combos'), 'CombosPage');
const AliasesPage = lazyRouteComponent(() => import('./pages/aliases'), 'AliasesPage');
const KeysPage = lazyRouteComponent(() => import('./pages/keys'), 'KeysPage');

/** A page for those who may see it. Its code comes as early as that of the others. */
function forRole(role: Role, Page: ReturnType<typeof lazyRouteComponent>) {
  return Object.assign(() => <Needs role={role}><Page /></Needs>, { preload: Page.preload });
}

const loginRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/login',
  validateSearch: (search): { next?: string; failed?: string } => ({
    ...(typeof search.next === 'string' && { next: search.next }),
    ...(typeof search.failed === 'string' && { failed: search.failed }),
  }),
  component: LoginPage,
});

/** Whoever was signed in when somebody last could say so. */
let known: components['schemas']['StatusView'] | undefined;

/** A control plane that is away for a moment signs nobody out: pages say themselves what they cannot load. */
function lastKnown(error: unknown) {
  if (known && error instanceof ApiFailure && (error.status === 0 || error.status >= 500)) return known;
  throw error;
}

const frameRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: 'frame',
  component: Frame,
  // what it is asked before there is a frame
  errorComponent: (failed) => <main><Broken {...failed} /></main>,
  beforeLoad: async ({ location }) => {
    const status = await unwrap(api.GET('/api/auth/status')).catch(lastKnown);
    if (!status.authenticated && status.requireLogin !== false) {
      known = undefined;
      throw redirect({ to: '/login', search: { next: location.pathname } });
    }
    known = status;
    // what was refused on the way out is over
    sessionBegan();
    return { session: status };
  },
});

const usageRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/usage',
  validateSearch: readUsageFilter,
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

const setupRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/setup',
  validateSearch: (search): { step?: Step } => {
    const step = readStep(search.step);
    return step ? { step } : {};
  },
  component: lazyRouteComponent(() => import('./pages/setup'), 'SetupPage'),
});

const cliToolsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/cli-tools',
  component: lazyRouteComponent(() => import('./pages/cli-tools'), 'CliToolsPage'),
});

const nodesRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/nodes',
  validateSearch: (search): { operation?: string } => (typeof search.operation === 'string' ? { operation: search.operation } : {}),
  component: lazyRouteComponent(() => import('./pages/nodes'), 'NodesPage'),
});

const healthRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/health',
  component: lazyRouteComponent(() => import('./pages/health'), 'HealthPage'),
});

const CachePage = lazyRouteComponent(() => import('./pages/cache'), 'CachePage');
const cacheRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/cache',
  component: forRole('operator', CachePage),
});

const LimitsPage = lazyRouteComponent(() => import('./pages/limits'), 'LimitsPage');
const limitsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/limits',
  component: forRole('operator', LimitsPage),
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
  component: lazyRouteComponent(() => import('./pages/requests'), 'RequestsPage'),
});

const requestRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/requests/$id',
  component: lazyRouteComponent(() => import('./pages/request'), 'RequestPage'),
});

const proxyLogRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/proxy-log',
  validateSearch: readProxyLogFilter,
  component: lazyRouteComponent(() => import('./pages/proxy-log'), 'ProxyLogPage'),
});

const consoleRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: '/console',
  validateSearch: readConsoleFilter,
  component: lazyRouteComponent(() => import('./pages/console'), 'ConsolePage'),
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
  createRoute({ getParentRoute: () => frameRoute, path: '/providers', component: forRole('operator', ProvidersPage) }),
  createRoute({ getParentRoute: () => frameRoute, path: '/combos', component: forRole('operator', CombosPage) }),
  createRoute({ getParentRoute: () => frameRoute, path: '/aliases', component: forRole('operator', AliasesPage) }),
  createRoute({ getParentRoute: () => frameRoute, path: '/keys', component: forRole('admin', KeysPage) }),
  requestsRoute,
  requestRoute,
  proxyLogRoute,
  consoleRoute,
  createRoute({ getParentRoute: () => frameRoute, path: '/team', component: lazyRouteComponent(() => import('./pages/team'), 'TeamPage') }),
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
  setupRoute,
  cliToolsRoute,
  nodesRoute,
] as const;

export const router = createRouter({
  routeTree: rootRoute.addChildren([loginRoute, frameRoute.addChildren([...pages])]),
  basepath: '/dashboard',
  defaultPreload: 'intent',
  defaultErrorComponent: Broken,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
