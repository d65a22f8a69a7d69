/** The worker with the two routes that the benchmark compares it with. */

import { readWorkersBody } from '../../src/worker/body.ts'
import { createWorker } from '../../src/worker/handler.ts'
import { mountBaselines } from '../lib/baselines.ts'

export { CatalogueObject } from '../../src/backends/durable/catalogue-object.ts'
export { RunObject } from '../../src/backends/durable/run-object.ts'
export default createWorker((app) => mountBaselines(app, readWorkersBody))
