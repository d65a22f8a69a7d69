/** Events from the worker: the run object tells it through a WebSocket. */
import { afterAll } from 'vitest'
import { events } from '../events/suite.ts'
import { fetchWorker } from './local.ts'
import { quiet } from './objects.ts'

events(() => ({ name: 'worker', url: 'http://worker.test', fetch: fetchWorker }))

afterAll(quiet)
