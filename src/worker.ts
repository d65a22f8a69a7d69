/** The entry on Cloudflare Workers, with the draws of each run in a Durable Object of its own; see wrangler.toml. */
import { createWorker } from './worker/handler.ts'

export { CatalogueObject } from './backends/durable/catalogue-object.ts'
export { RunObject } from './backends/durable/run-object.ts'
export default createWorker()
