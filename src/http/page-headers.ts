/** Headers of the page's files: the server sends them, and scripts/page.mjs tells Cloudflare the same in dist/page/_headers. */
import { COMMON_HEADERS } from './headers.ts'
import { PAGE_POLICY } from './page-policy.ts'

/** Address of the page; web/vite.config.ts has it too. */
export const PAGE_PLACE = '/ui/'

/** Files under it have a digest of what is in them in their names. */
export const ASSETS = 'assets/'

const COMMON = COMMON_HEADERS.filter(([name]) => name !== 'Cache-Control' && name !== 'Vary')

/** Headers of the page's file of this name, beside those that depend on the request. */
export function pageHeaders(name: string): Readonly<Record<string, string>> {
  return {
    ...Object.fromEntries(COMMON),
    'Content-Security-Policy': PAGE_POLICY,
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cache-Control': name.startsWith(ASSETS) ? 'public, max-age=31536000, immutable' : 'no-cache',
  }
}
