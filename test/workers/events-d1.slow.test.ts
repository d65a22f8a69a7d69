/** Events from a worker over D1, which looks for writes of another one, and tells its own at once. */
import { describe } from 'vitest'
import { events } from '../events/suite.ts'
import { d1Only, fetchD1Worker, openWorker } from './local.ts'

const url = 'http://worker.test'
const other = openWorker(d1Only)

describe('written by the worker that is watched', () => events(() => ({ name: 'D1', url, fetch: fetchD1Worker })))

describe('written by another worker', () =>
  events(() => ({ name: 'D1', url, fetch: fetchD1Worker, writer: { url, fetch: other }, looks: true })))
