/** A run on the server: its metadata, which never change, and the way to its chains. */

import { type AboutPatch, isMadeBy, patchText, plainPatch } from '../core/about.ts'
import { RunDescription } from '../core/description.ts'
import type { RunChecks } from '../core/diagnostics/checks/check.ts'
import type { Trace, TraceQuestion } from '../core/diagnostics/traced.ts'
import type { Schema } from '../core/draws/columns.ts'
import { McbError } from '../core/errors.ts'
import type { AboutOptions, Run, RunAbout } from '../core/interfaces.ts'
import { JSON_TYPE } from '../core/media-types.ts'
import type { Summary } from '../core/summary/summary.ts'
import type { ParsedMeta, RunMeta } from '../core/wire/run-meta.ts'
import { HttpChain, type RunContext } from './chain.ts'
import type { HttpCheckOptions } from './checks.ts'
import { finishAll } from './finish.ts'
import { type ChainAnswer, readChain, readChains, readRunAbout } from './json.ts'
import type { FlushOptions } from './options.ts'
import type { HttpSummaryOptions } from './summary.ts'
import { queryOfTrace, readTrace } from './trace.ts'
import type { Transport } from './transport.ts'
import { type ChainGrowth, type WatchOptions, watchChains } from './watch.ts'

/** Things that all runs of a backend share. */
export interface BackendContext {
  readonly transport: Transport
  readonly flush: Required<FlushOptions>
  /** Chains that have taken draws and are not closed. */
  readonly writers: Set<HttpChain>
}

/** Milliseconds of the longest pause behind a change that met another one. */
const PAUSE_MS = 50

interface Refused {
  readonly refusal: McbError
  readonly attempt: number
}

type AboutChanged = { readonly about: RunAbout } | (Refused & { readonly present: RunAbout })

/** Number of changes, which an ETag ends with. */
function revisionOf({ etag }: RunAbout): number {
  return Number(/-(\d+)"$/.exec(etag)?.[1])
}

export class HttpRun extends RunDescription implements Run {
  readonly rid: string
  readonly registration: string
  readonly schema: Schema
  readonly isNew: boolean
  declare readonly meta: RunMeta
  private readonly context: RunContext

  constructor(context: BackendContext, { meta, schema }: ParsedMeta, registration: string, isNew: boolean) {
    super(meta)
    this.rid = meta.rid ?? ''
    this.registration = registration
    this.schema = schema
    this.isNew = isNew
    this.context = {
      ...context,
      rid: this.rid,
      registration,
      schema,
      path: `/v1/runs/${this.rid}`,
      headers: { 'Mcb-Registration': registration },
    }
  }

  /**
   * Creates a chain, or opens it when it exists; its draws go on where it ends.
   *
   * @param options.exclusive makes an existing chain an error. If an answer is lost, that may be the chain which
   *   this very call has created.
   * @throws McbError `chain_exists`, `run_not_found`, `run_replaced`
   */
  async initChain(number: number, { exclusive } = { exclusive: false }): Promise<HttpChain> {
    const { transport, headers } = this.context
    const condition: Record<string, string> = exclusive ? { 'If-None-Match': '*' } : {}
    const path = this.chainPath(number)
    const request = { method: 'PUT', path, headers: { ...headers, ...condition }, type: JSON_TYPE } as const
    return transport.send(request, (answer) => this.open(readChain(answer, number), answer.status === 201))
  }

  /** @throws McbError `run_not_found`, `run_replaced` */
  async getChain(number: number): Promise<HttpChain | undefined> {
    const { transport, headers } = this.context
    const request = { method: 'GET', path: this.chainPath(number), headers, type: JSON_TYPE } as const
    return transport.send(
      request,
      (answer): HttpChain | undefined => this.open(readChain(answer, number), false),
      (refusal) => {
        if (refusal.code === 'chain_not_found') return undefined
        throw refusal
      },
    )
  }

  /** @throws McbError `run_not_found`, `run_replaced` */
  async getChains(): Promise<HttpChain[]> {
    const { transport, headers, path } = this.context
    const request = { method: 'GET', path: `${path}/chains`, headers, type: JSON_TYPE } as const
    return transport.send(request, (answer) => readChains(answer).map((chain) => this.open(chain, false)))
  }

  /**
   * Draws of all chains to look at: of even parts of the iterations, the buckets, the first, the least, the greatest and the last
   * draw, so that no spike is lost. Warmup is included, and the buckets of all chains have the same borders.
   *
   * A bucket with at most four draws has all of them; one with NaN has its first one as well, unless it begins or ends with NaN.
   *
   * @example
   * const { elements } = await run.trace({ variables: ['mu'], start: -10_000, buckets: 500 })
   * for (const { chain, at, values } of elements[0]?.chains ?? []) plot(chain, at, values.data)
   * @throws McbError `unknown_variable`, `chain_not_found`, `invalid_slice`; `invalid_parameter` for more than 100 elements, and
   *   what is not numbers of fixed shape; `payload_too_large`; `run_not_found`, `run_replaced`; `not_found` from a server of an
   *   older release
   */
  async trace(question: TraceQuestion = {}): Promise<Trace> {
    const { transport, headers, path, schema } = this.context
    const query = queryOfTrace(schema, question)
    const request = { method: 'GET', path: `${path}/trace?${query}`, headers, type: JSON_TYPE } as const
    return transport.send(request, (answer) => readTrace(answer, schema, question))
  }

  /**
   * Means, intervals, Monte Carlo errors, ESS and R-hat of each scalar, of the draws that are durable and those that this client
   * has taken. The server computes them; for one of an older release, or names that are too long for an address, they are
   * computed here from its draws. A run that grows may be answered of a moment that has at least 0.8 of the draws.
   *
   * @example
   * const { columns, rows, draws } = await run.summary({ sort: '-rhat', limit: 20 })
   * for (const { label, figures } of rows) console.log(label, ...figures) // numbers, or the reason why there is none
   * @throws McbError `unknown_variable`, `chain_not_found`, `invalid_parameter`; `payload_too_large` for more than 10⁶ scalars, and
   *   for one of more draws than are computed at once; `run_not_found`, `run_replaced`
   */
  async summary(options: HttpSummaryOptions = {}): Promise<Summary> {
    await this.flush()
    // Both are loaded when they are needed: most programs ask for no summary, and most servers compute them.
    const { askSummary } = await import('./summary.ts')
    const answered = await askSummary(this.context, options)
    if (answered !== undefined) return answered
    const { summarise } = await import('../core/summary/of-run.ts')
    return summarise(this, options)
  }

  /**
   * Findings that tell whether the run can be trusted, of the draws that are durable and those that this client has taken: always the
   * same checks in the same order, each with a status, a sentence that has the number and the source of its threshold, and what to do.
   * The server computes them; for one of an older release, they are computed here from its draws.
   *
   * @example
   * const { status, checks } = await run.checks()
   * for (const { check, status, message, advice } of checks) if (status !== 'ok') console.log(check, message, advice)
   * @throws McbError `payload_too_large` for more than 10⁶ scalars, and for one of more draws than are computed at once;
   *   `run_not_found`, `run_replaced`
   */
  async checks(options: HttpCheckOptions = {}): Promise<RunChecks> {
    await this.flush()
    const { askChecks } = await import('./checks.ts')
    const answered = await askChecks(this.context, options)
    if (answered !== undefined) return answered
    const { examine } = await import('../core/summary/of-run.ts')
    return examine(this, options)
  }

  /** @throws McbError `run_not_found`, `run_replaced`; `not_found` from a server of an older release */
  async about(): Promise<RunAbout> {
    const { transport, headers, path } = this.context
    return transport.send({ method: 'GET', path: `${path}/about`, headers, type: JSON_TYPE }, readRunAbout)
  }

  /**
   * Changes name, tags, notes, facts, or the archive's mark. Members that the patch lacks stay, null resets one, and `facts`
   * are merged at any depth (RFC 7396).
   *
   * @example
   * await run.setAbout({ name: 'Eight schools', tags: ['paper'], facts: { expected: { draws: 1000, warmup: 1000 } } })
   * @throws McbError `invalid_about`, `about_changed`, `run_not_found`, `run_replaced`
   */
  async setAbout(patch: AboutPatch, { ifMatch }: AboutOptions = {}): Promise<RunAbout> {
    const plain = plainPatch(patch)
    if (ifMatch !== undefined) {
      const changed = await this.change(plain, ifMatch)
      if ('about' in changed) return changed.about
      throw changed.refusal
    }
    for (let round = 0; ; round++) {
      if (round > 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * PAUSE_MS * round))
      // The revision is named even so: a patch that is repeated, since its answer was lost, must not undo a later change.
      const before = await this.about()
      const changed = await this.change(plain, before.etag)
      if ('about' in changed) return changed.about
      const isApplied = changed.attempt > 1 && revisionOf(changed.present) !== revisionOf(before) + 1
      if (isApplied) throw changed.refusal
    }
  }

  /** One change of a revision, or the refusal of it: an answer that was lost may have been that of this change. */
  private async change(patch: AboutPatch, ifMatch: string): Promise<AboutChanged> {
    const { transport, headers, path } = this.context
    const request = {
      method: 'PATCH',
      path: `${path}/about`,
      headers: { ...headers, 'If-Match': ifMatch },
      body: patchText(patch),
      type: JSON_TYPE,
    } as const
    const changed = await transport.send<{ about: RunAbout } | Refused>(
      request,
      (answer) => ({ about: readRunAbout(answer) }),
      (refusal, attempt) => {
        if (refusal.code === 'about_changed') return { refusal, attempt }
        throw refusal
      },
    )
    if ('about' in changed) return changed
    const present = await this.about()
    return changed.attempt > 1 && isMadeBy(present, patch) ? { about: present } : { ...changed, present }
  }

  /**
   * The chains of this run as they grow, by any writer: first all of them, then each that has grown. Ends when the
   * run is deleted, and reconnects when the connection breaks. `onDiagnostics` is told the worst figures, while the run is watched.
   *
   * @example
   * for await (const { chain, length } of run.watch()) console.log(`chain ${chain} has ${length} draws`)
   * @throws McbError `run_not_found`, `run_replaced`
   */
  watch(options: WatchOptions = {}): AsyncGenerator<ChainGrowth> {
    const { transport, headers, path } = this.context
    return watchChains(transport, { path: `${path}/events`, headers }, options)
  }

  /** Flushes the chains of this run that this client writes. @throws McbError when an upload has failed */
  async flush(): Promise<void> {
    await finishAll(this.writers(), (chain) => chain.flush())
  }

  /** Closes the chains of this run that this client writes. @throws McbError when an upload has failed */
  async close(): Promise<void> {
    await finishAll(this.writers(), (chain) => chain.close())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private writers(): HttpChain[] {
    return [...this.context.writers].filter((chain) => chain.registration === this.registration)
  }

  private open(chain: ChainAnswer, isNew: boolean): HttpChain {
    return new HttpChain(this.context, chain, isNew)
  }

  private chainPath(number: number): string {
    if (!Number.isSafeInteger(number) || number < 0) {
      throw new McbError('invalid_parameter', `a chain has a whole number from 0 on, not ${number}`)
    }
    return `${this.context.path}/chains/${number}`
  }
}
