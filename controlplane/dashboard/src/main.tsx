import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import { MantineProvider } from '@mantine/core';
import { ModalsProvider } from '@mantine/modals';
import { Notifications } from '@mantine/notifications';
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { setNonce } from 'get-nonce';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiFailure } from './api/client';
import { language } from './i18n/language';
import { showFailure } from './parts/failure';
import { isSignedOut, sessionEnded } from './parts/signed-out';
import { router } from './router';
import { cssVariables, theme } from './theme';

// Styles added at run time carry the page's nonce, so the content security policy can stay strict.
const nonce = document.querySelector<HTMLElement>('meta[property="csp-nonce"]')?.nonce ?? '';
setNonce(nonce);

/** Over an open page the session is begun again; whoever is on their way to one is led to the login by the router. */
function askWhenSignedOut(error: unknown): boolean {
  if (!isSignedOut(error) || router.state.location.pathname.startsWith('/login')) return false;
  sessionEnded();
  return true;
}

const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError: (error) => void askWhenSignedOut(error) }),
  mutationCache: new MutationCache({
    onError: (error, _variables, _result, mutation) => {
      // a mutation that handles its failure shows it where it happened
      if (!askWhenSignedOut(error) && !mutation.options.onError) showFailure(error);
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (count, error) => count < 2 && !(error instanceof ApiFailure && error.status > 0 && error.status < 500),
    },
  },
});

document.documentElement.lang = language;

// the code of a page comes while it is asked who wants to see it; where it does not come, the router says so
for (const { routeId } of router.matchRoutes(router.latestLocation)) {
  const route = router.routesById[routeId as keyof typeof router.routesById];
  router.loadRouteChunk(route)?.catch(() => undefined);
}

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queryClient}>
        <ModalsProvider>
          <Notifications position="top-right" />
          <RouterProvider router={router} />
        </ModalsProvider>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
