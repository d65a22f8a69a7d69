/** A port of its own for /metrics, which asks for no key: it is for a network that only the operator's programs reach. */
import { Hono } from 'hono'
import { requestId } from 'hono/request-id'
import { isLoopback } from '../access/settings.ts'
import type { AppEnv } from '../http/context.ts'
import { setHeaders } from '../http/headers.ts'
import type { Meter } from '../http/meter.ts'
import { misdirected } from '../http/misdirected.ts'
import { handleErrors, handleNotFound } from '../http/problem.ts'
import type { Fetching } from './front.ts'

export interface MetricsSettings {
  /** False where nothing is measured. */
  readonly isOn: boolean
  /** The port of its own; undefined where there is none. */
  readonly port: number | undefined
  readonly host: string
}

interface Variables {
  readonly MCB_METRICS?: string
  readonly MCB_METRICS_PORT?: string
  readonly MCB_METRICS_HOST?: string
}

/** @throws Error with one sentence that says what to set */
export function metricsSettings(variables: Variables): MetricsSettings {
  const { MCB_METRICS: state = 'on', MCB_METRICS_PORT: port, MCB_METRICS_HOST: host = '127.0.0.1' } = variables
  if (state !== 'on' && state !== 'off') throw new Error(`MCB_METRICS must be on or off, not "${state}".`)
  if (port === undefined) return { isOn: state === 'on', port, host }
  const number = Number(port)
  if (!Number.isInteger(number) || number < 0 || number > 65535) {
    throw new Error(`MCB_METRICS_PORT must be a number from 0 to 65535, not "${port}".`)
  }
  if (state === 'off') throw new Error('MCB_METRICS=off leaves nothing for MCB_METRICS_PORT; set one of them.')
  return { isOn: true, port: number, host }
}

/** Learns of a failure of the figures themselves. */
export type Report = (requestId: string, error: unknown) => void

export function createMetricsApp(meter: Meter, host: string, report: Report): Fetching {
  const app = new Hono<AppEnv>()
  app.use(requestId())
  app.use(setHeaders)
  // A page whose name was made to point here would be of one origin with it, as far as a browser knows.
  if (isLoopback(host)) app.use(misdirected({ hosts: [host], origins: [] }))
  app.get('/metrics', async (c) => {
    const { type, text } = await meter.exposition()
    return c.body(text, 200, { 'Content-Type': type })
  })
  app.onError(handleErrors(report))
  app.notFound(handleNotFound)
  return app
}
