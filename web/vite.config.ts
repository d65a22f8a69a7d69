/** The page's build: from web/ into dist/page/ui, whose files lie under /ui/ of the server. */
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'

/** Vite's own code around each import is for styles and preloads, of which the page has none: here it only imports. */
const plainImports: Plugin = {
  name: 'plain-imports',
  enforce: 'pre',
  load: (id) => (id.includes('vite/preload-helper') ? 'export const __vitePreload = (load) => load()' : undefined),
}

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: '/ui/',
  plugins: [plainImports],
  build: {
    outDir: fileURLToPath(new URL('../dist/page/ui', import.meta.url)),
    emptyOutDir: true,
    // The page's policy allows nothing inline.
    assetsInlineLimit: 0,
    // The styles of all screens are small, and code that loads them one by one is not.
    cssCodeSplit: false,
    modulePreload: false,
    target: ['chrome111', 'firefox115', 'safari16.4'],
    reportCompressedSize: false,
  },
  worker: { format: 'es' },
  server: { proxy: { '/v1': process.env.MCB_URL ?? 'http://127.0.0.1:8787' } },
})
