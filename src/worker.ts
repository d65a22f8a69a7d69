/** The entry on Cloudflare Workers, with draws in D1; see wrangler.toml. */
import { createWorker } from './worker/handler.ts'

export default createWorker()
