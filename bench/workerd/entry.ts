/** The worker with the routes that the benchmark compares it with, and a count of the statements that its list of runs takes. */

import { readWorkersBody } from '../../src/worker/body.ts'
import { createWorker } from '../../src/worker/handler.ts'
import { mountBaselines } from '../lib/baselines.ts'
import { countD1, mountCounts } from './counts.ts'

export { RunObject } from '../../src/backends/durable/run-object.ts'
export { CountedCatalogue as CatalogueObject } from './counts.ts'

countD1()
export default createWorker((app) => {
  mountBaselines(app, readWorkersBody)
  mountCounts(app)
})
