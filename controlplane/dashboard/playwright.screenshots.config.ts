import { defineConfig } from '@playwright/test';
import tests from './playwright.config';

/** `npm run screenshots`: takes pictures, tests nothing. */
export default defineConfig({ ...tests, testDir: 'screenshots', testMatch: 'take.ts', workers: 1, timeout: 900_000, use: { ...tests.use, trace: 'off' } });
