/** The suite of stan.csv on workerd, with run objects and with D1 alone. */
import { env } from 'cloudflare:workers'
import { afterAll } from 'vitest'
import { stan } from '../stan/suite.ts'
import { d1Only, openWorker } from './local.ts'
import { quiet } from './objects.ts'

const url = 'http://worker.test'

stan({ name: 'workerd with run objects', open: async () => ({ url, fetch: openWorker(env) }) })
stan({ name: 'workerd with D1', open: async () => ({ url, fetch: openWorker(d1Only) }) })

afterAll(quiet)
