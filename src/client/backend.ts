/** The Backend of McBackend on a server, over nothing but `fetch`: Node, Deno, Bun, browsers, Workers. */

import { McbError } from '../core/errors.ts'
import type { Backend, RunPage, RunQuery } from '../core/interfaces.ts'
import type { Limits } from '../core/limits.ts'
import { JSON_TYPE, PROTOBUF } from '../core/media-types.ts'
import { encodeRunMeta, isRunId, type mcbackend, parseRunMeta } from '../core/wire/run-meta.ts'
import type { HttpChain } from './chain.ts'
import { finishAll } from './finish.ts'
import { readRunPage } from './json.ts'
import { completeFlush, type HttpBackendOptions } from './options.ts'
import { ForeignAnswer, type WholeAnswer } from './problem.ts'
import { type BackendContext, HttpRun } from './run.ts'
import { Transport } from './transport.ts'

/** No limits for metadata in answers: the server has judged them by its own. */
const SERVER_LIMITS: Limits = {
  bodyBytes: Number.POSITIVE_INFINITY,
  runMetaBytes: Number.POSITIVE_INFINITY,
  jsonBytes: Number.POSITIVE_INFINITY,
  batchIterations: Number.POSITIVE_INFINITY,
  answerBytes: Number.POSITIVE_INFINITY,
  columns: Number.POSITIVE_INFINITY,
  chains: Number.POSITIVE_INFINITY,
  elements: Number.POSITIVE_INFINITY,
  tracedValues: Number.POSITIVE_INFINITY,
  keys: Number.POSITIVE_INFINITY,
  shares: Number.POSITIVE_INFINITY,
}

/**
 * Runs on a McBackend server.
 *
 * Failures that may pass are retried as `retry` says; all else rejects with an `McbError` whose `code` is one of the
 * protocol's, `storage_unavailable` when the server cannot be reached.
 *
 * @example
 * const backend = new HttpBackend({ url: 'http://127.0.0.1:8787' })
 * const run = await backend.initRun({
 *   variables: [{ name: 'mu', dtype: 'float64' }, { name: 'theta', dtype: 'float64', shape: [8], dims: ['school'] }],
 *   sampleStats: [{ name: 'tune', dtype: 'bool' }, { name: 'lp', dtype: 'float64' }],
 * })
 * const chain = await run.initChain(0)
 * for (const { mu, theta, tune, lp } of sampler) await chain.append({ mu, theta }, { tune, lp })
 * await chain.close() // all draws are durable now
 * const last = await chain.getDraws('theta', { start: -100 }) // { dtype: 'float64', shape: [100, 8], data }
 */
export class HttpBackend implements Backend {
  private readonly context: BackendContext

  /** @throws TypeError when `url` is no absolute URL */
  constructor(options: HttpBackendOptions) {
    const writers = new Set<HttpChain>()
    this.context = { transport: new Transport(options), flush: completeFlush(options.flush), writers }
  }

  /**
   * Registers a run; without `meta.rid` under an id that is made here. An equal one that is registered already is
   * opened. If an answer is lost, `isNew` may be false for the run that this very call has registered.
   *
   * @throws McbError `run_conflict`, `invalid_run_meta`, `unsupported_dtype`
   */
  async initRun(meta: mcbackend.RunMeta.$Properties): Promise<HttpRun> {
    const rid = meta.rid || newRunId()
    if (!isRunId(rid)) throw new McbError('invalid_parameter', `"${rid}" is no id of a run`)
    const body = encodeRunMeta({ ...meta, rid })
    const request = { method: 'PUT', path: `/v1/runs/${rid}`, body } as const
    return this.context.transport.send(request, (answer) => {
      const isNew = answer.status === 201 || !meta.rid
      return new HttpRun(this.context, parseRunMeta(body, SERVER_LIMITS), registrationOf(answer), isNew)
    })
  }

  async getRun(rid: string): Promise<HttpRun | undefined> {
    if (!isRunId(rid)) return undefined
    return this.context.transport.send(
      { method: 'GET', path: `/v1/runs/${rid}`, type: PROTOBUF },
      (answer): HttpRun | undefined =>
        new HttpRun(this.context, parseRunMeta(answer.bytes, SERVER_LIMITS), registrationOf(answer), false),
      (refusal) => {
        if (refusal.code === 'run_not_found') return undefined
        throw refusal
      },
    )
  }

  /**
   * Runs, the latest registered first.
   *
   * @example
   * const { runs } = await backend.listRuns({ q: 'schools', tag: ['paper'], since: new Date(Date.now() - 7 * 864e5) })
   * @throws McbError `invalid_parameter` for a limit that is not 1 to 1000, a cursor of somebody else, or too many conditions;
   *   `not_found` for conditions on a server of an older release, which knows none
   */
  async listRuns(query: RunQuery = {}): Promise<RunPage> {
    const search = searchOf(query)
    const path = search.size === 0 ? '/v1/runs' : `/v1/runs?${search}`
    return this.context.transport.send({ method: 'GET', path, type: JSON_TYPE }, (answer) => readRunPage(answer, query))
  }

  async deleteRun(rid: string): Promise<boolean> {
    if (!isRunId(rid)) return false
    return this.context.transport.send(
      { method: 'DELETE', path: `/v1/runs/${rid}` },
      ({ status }) => {
        // A page with a status of success has deleted nothing.
        if (status === 204) return true
        throw new ForeignAnswer(`${status} instead of 204`)
      },
      (refusal, attempt) => {
        // An earlier attempt, whose answer was lost, has deleted it.
        if (refusal.code === 'run_not_found') return attempt > 1
        throw refusal
      },
    )
  }

  /** Flushes every chain that this client writes. @throws McbError when an upload has failed */
  async flush(): Promise<void> {
    await finishAll([...this.context.writers], (chain) => chain.flush())
  }

  /** Closes every chain that this client writes. @throws McbError when an upload has failed */
  async close(): Promise<void> {
    await finishAll([...this.context.writers], (chain) => chain.close())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function searchOf({ tag = [], attr = [], ...once }: RunQuery): URLSearchParams {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(once)) {
    if (value !== undefined) search.set(name, value instanceof Date ? value.toISOString() : String(value))
  }
  for (const each of tag) search.append('tag', each)
  for (const [key, value] of attr) search.append(`attr.${key}`, value)
  return search
}

function registrationOf({ headers }: WholeAnswer): string {
  const registration = headers.get('Mcb-Registration')
  if (registration) return registration
  throw new ForeignAnswer('no Mcb-Registration')
}

/** 128 random bits, in hexadecimal. */
function newRunId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
