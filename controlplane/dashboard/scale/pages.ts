import { expect, test, type Browser, type BrowserContext } from '@playwright/test';

import { groups } from '../src/navigation';

const LIMIT_MS = 1_000;
/** Of each page; the middle one counts. */
const VISITS = 5;
/** A page that shows no sign of loading for so long has all it asked for. */
const QUIET_MS = 500;

type Session = Awaited<ReturnType<BrowserContext['storageState']>>;

const address = process.env.OMNIROUTE_ADDRESS ?? '';
const password = process.env.OMNIROUTE_PASSWORD ?? '';

test('every page can be used within a second', async ({ browser }) => {
  const signedIn = await browser.newContext({ baseURL: address });
  const login = await signedIn.request.post('/api/auth/login', { data: { password }, headers: { origin: address } });
  expect(login.status()).toBe(200);
  const session = await signedIn.storageState();
  const [latest] = (await (await signedIn.request.get('/api/usage/request-logs?limit=1')).json()) as { id: string }[];

  const paths = [...groups.flatMap(({ pages }) => pages.map(({ to }) => to)), `/requests/${latest?.id}`];
  const only = process.env.ONLY?.split(',');
  const slow: string[] = [];
  for (const path of paths.filter((path) => only?.includes(path) ?? true)) {
    const took: number[] = [];
    while (took.length < VISITS) took.push(await visit(browser, session, path));
    took.sort((a, b) => a - b);
    const middle = took[Math.floor(VISITS / 2)] ?? Infinity;
    console.log(`| ${path.replace(/[0-9a-f-]{36}/, '{id}')} | ${middle.toFixed(0)} | ${took.at(-1)?.toFixed(0)} |`);
    if (middle > LIMIT_MS) slow.push(path);
  }
  expect(slow).toEqual([]);
});

/** Milliseconds from the call of a page to its last sign of loading, by a browser that has nothing of it yet. */
async function visit(browser: Browser, storageState: Session, path: string): Promise<number> {
  const context = await browser.newContext({ baseURL: address, storageState });
  const page = await context.newPage();
  await page.addInitScript(watch);
  await page.goto(`/dashboard${path}`);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await page.waitForFunction((quiet) => performance.now() - window.usableAt > quiet, QUIET_MS, { timeout: 60_000 });
  const usable = await page.evaluate(() => window.usableAt);
  await context.close();
  return usable;
}

/** In the page: keeps the last moment at which it could not be used. */
function watch() {
  window.usableAt = 0;
  const look = () => {
    const isLoading = !document.querySelector('h1') || document.querySelector('[aria-label="Loading"], [aria-busy="true"]');
    if (isLoading) window.usableAt = performance.now();
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  // what keeps a click waiting
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) window.usableAt = Math.max(window.usableAt, startTime + duration);
  }).observe({ type: 'longtask', buffered: true });
}

declare global {
  interface Window {
    usableAt: number;
  }
}
