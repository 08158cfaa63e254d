import { defineConfig } from '@playwright/test';
import tests from './playwright.config';

/** Asked by `scripts/usage-at-scale --pages`, which starts and fills the gateway. */
export default defineConfig({ ...tests, testDir: 'scale', testMatch: 'pages.ts', workers: 1, timeout: 900_000, use: { ...tests.use, trace: 'off' } });
