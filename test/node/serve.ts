/** The application on a real socket with bounds of one's own. */
import { createApp } from '../../src/app.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { type Bounds, DEFAULT_BOUNDS } from '../../src/core/limits.ts'
import type { Store } from '../../src/core/store.ts'
import { BodyBudget } from '../../src/http/body-budget.ts'
import { OpenAnswers } from '../../src/http/open-answers.ts'
import { readNodeBody } from '../../src/node/body.ts'
import { type Listening, listen, whenNodeAnswered } from '../../src/node/server.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { type Api, apiOf } from '../http/api.ts'

export interface Served {
  readonly server: Listening
  readonly api: Api
  readonly bodies: BodyBudget
  readonly openAnswers: OpenAnswers
  readonly reports: unknown[]
}

/** @param now the clock by which bodies trickle, in milliseconds */
export async function serve(
  bounds: Partial<Bounds> = {},
  store: Store = new MemoryStore(),
  now: () => number = () => performance.now(),
): Promise<Served> {
  const all = { ...DEFAULT_BOUNDS, ...bounds }
  const backend = new StoreBackend(store)
  const bodies = new BodyBudget({ all: all.bodiesBytes, tenant: all.tenantBodiesBytes }, { now })
  const openAnswers = new OpenAnswers(all)
  const reports: unknown[] = []
  const app = createApp({
    openBackend: () => backend,
    readBody: readNodeBody,
    whenAnswered: whenNodeAnswered,
    bounds: all,
    bodies,
    openAnswers,
    report: (_id, error) => reports.push(error),
  })
  const server = await listen(app, '127.0.0.1', 0, all)
  return { server, api: apiOf((request) => fetch(request), server.url), bodies, openAnswers, reports }
}
