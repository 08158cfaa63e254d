import react from '@vitejs/plugin-react';
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** For scripts that a browser loads before it shows anything, compressed. What makes them more belongs behind an import(). */
const INITIAL_BYTES = 350_000;

/** Fails a build whose first page became too large: nobody notices that by looking. */
function budget(): Plugin {
  return {
    name: 'budget',
    apply: 'build',
    generateBundle(_, bundle) {
      const first = new Set<string>();
      const load = (name: string) => {
        const chunk = bundle[name];
        if (chunk?.type !== 'chunk' || first.has(name)) return;
        first.add(name);
        chunk.imports.forEach(load);
      };
      for (const [name, chunk] of Object.entries(bundle)) if (chunk.type === 'chunk' && chunk.isEntry) load(name);
      const size = [...first].reduce((sum, name) => {
        const chunk = bundle[name];
        return sum + (chunk?.type === 'chunk' ? gzipSync(chunk.code).length : 0);
      }, 0);
      const says = `the first page loads ${size} bytes of scripts, of ${INITIAL_BYTES}`;
      if (size > INITIAL_BYTES) this.error(says);
      this.info(says);
    },
  };
}

/** A hundred small files take a browser longer than what is in them: what is needed at once comes in one, and what
 *  pages share beside it in another. */
const FILES = [
  { name: 'first', tags: ['$initial' as const] },
  { name: 'shared', test: /node_modules\/(@mantine\/(?!charts)|@tabler|@floating-ui)|src\/parts\// },
];

export default defineConfig({
  plugins: [react(), budget()],
  base: '/dashboard/',
  // the control plane replaces this by a fresh nonce in every answer; see its ui.rs
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    sourcemap: false,
    chunkSizeWarningLimit: 800,
    rolldownOptions: { output: { codeSplitting: { groups: FILES } } },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:20128' } },
  test: { environment: 'happy-dom', include: ['src/**/*.test.{ts,tsx}'] },
});
