/** Events from the worker: the run object tells it through a WebSocket, for writes of any worker. */
import { env } from 'cloudflare:workers'
import { afterAll } from 'vitest'
import { events } from '../events/suite.ts'
import { fetchWorker, openWorker } from './local.ts'
import { quiet } from './objects.ts'

const url = 'http://worker.test'
const other = openWorker(env)

events(() => ({ name: 'worker', url, fetch: fetchWorker, writer: { url, fetch: other } }))

afterAll(quiet)
