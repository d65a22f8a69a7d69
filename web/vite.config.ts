/** The page's build: from web/ into dist/page/ui, whose files lie under /ui/ of the server. */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: '/ui/',
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
