/** The three interfaces of McBackend: a Backend holds runs, a Run holds chains, a Chain holds draws and sampler stats. */

import type { About, AboutPatch, RunState } from './about.ts'
import type { RunChecks } from './diagnostics/checks/check.ts'
import type { RunDiagnostics } from './diagnostics/run-diagnostics.ts'
import type { Trace, TraceQuestion } from './diagnostics/traced.ts'
import type { Schema } from './draws/columns.ts'
import type { Elements } from './draws/elements.ts'
import type { LabelArray, NdArray } from './draws/ndarray.ts'
import type { Slice } from './draws/slice.ts'
import type { RunFilter } from './finding.ts'
import type { JsonValue } from './json.ts'
import type { CheckOptions } from './summary/check-options.ts'
import type { SummaryOptions } from './summary/options.ts'
import type { Summary } from './summary/summary.ts'
import type { mcbackend, RunMeta } from './wire/run-meta.ts'

/**
 * One value of one variable in one draw. A typed array has the registered shape; an array with a shape of its own is
 * needed only where the shape varies.
 */
export type Value = number | bigint | boolean | string | NdArray['data'] | NdArray

/** Values by variable name. A Map or an object: names such as `__proto__` are own keys in both. */
export type Values = ReadonlyMap<string, Value> | { readonly [name: string]: Value }

/**
 * Draws of one variable: an array of shape `[draws, ...shape]` where the shape is fixed, else a list of `draws` arrays.
 * bool is 0 or 1 in a Uint8Array, int64 and uint64 are BigInt arrays, str is a list of strings.
 */
export type Draws = NdArray | readonly NdArray[]

/** Consecutive iterations of one chain, column by column. */
export interface DrawBatch {
  /** Index of the first iteration; the end of the chain when absent. */
  readonly start?: number
  readonly count: number
  readonly draws: ReadonlyMap<string, Draws>
  /** A sampler stat may be missing; it reads back as its fill value. */
  readonly stats?: ReadonlyMap<string, Draws>
}

export interface Chain {
  readonly rid: string
  readonly number: number
  /** True where the call that gave this handle created the chain. */
  readonly isNew: boolean
  /** Appends one iteration: a value for every variable, and for those sampler stats that there are. */
  append(draw: Values, stats?: Values): Promise<void>
  /** Appends whole iterations and resolves to the new length, when they are durable. */
  appendBatch(batch: DrawBatch): Promise<number>
  /** Number of iterations. */
  length(): Promise<number>
  /** Draws of a variable. With `elements`, each is a vector of them, which needs a variable of fixed shape. */
  getDraws(name: string, slice?: Slice, elements?: Elements): Promise<Draws>
  getStats(name: string, slice?: Slice, elements?: Elements): Promise<Draws>
  /** One iteration of all variables, or of those named. A negative index counts from the end. */
  getDrawsAt(index: number, names?: readonly string[]): Promise<Map<string, NdArray>>
  getStatsAt(index: number, names?: readonly string[]): Promise<Map<string, NdArray>>
}

export interface Run {
  readonly rid: string
  /** Identity of this registration: a run that is deleted and registered again is another one. */
  readonly registration: string
  readonly meta: RunMeta
  readonly schema: Schema
  /** True where the call that gave this handle registered the run. */
  readonly isNew: boolean
  /** Creates a chain, or opens it when it exists; with `exclusive`, that is an error (`chain_exists`). */
  initChain(number: number, options?: { readonly exclusive: boolean }): Promise<Chain>
  getChain(number: number): Promise<Chain | undefined>
  /** All chains, by number. */
  getChains(): Promise<Chain[]>
  /** The run's line of the list, and its name, tags, notes and facts. */
  about(): Promise<RunAbout>
  /**
   * Changes name, tags, notes, facts, or the archive's mark. Members that the patch lacks stay, null resets one.
   *
   * @param options.ifMatch the `etag` of an `about()`: `about_changed` when it is not the present one; `*` is any
   * @throws McbError `invalid_about`, `about_changed`, `run_not_found`
   */
  setAbout(patch: AboutPatch, options?: AboutOptions): Promise<RunAbout>
  /**
   * Draws of all chains to look at: of even parts of the iterations, the buckets, the first, the least, the greatest and the last
   * draw, so that no spike is lost. Warmup is included, and the buckets of all chains have the same borders.
   *
   * A bucket with at most four draws has all of them; one with NaN has its first one as well, unless it begins or ends with NaN.
   * Elements of arrays are named as `theta[3]`, or `theta[Choate]` where a coordinate has labels.
   *
   * @example
   * const { elements } = await run.trace({ variables: ['mu'], start: -10_000, buckets: 500 })
   * for (const { chain, at, values } of elements[0]?.chains ?? []) plot(chain, at, values.data)
   * @throws McbError `unknown_variable`, `chain_not_found`, `invalid_slice`; `invalid_parameter` for more than 100 elements, and
   *   what is not numbers of fixed shape; `payload_too_large` for more values than a server goes through at once
   */
  trace(question?: TraceQuestion): Promise<Trace>
  /**
   * Means, intervals, Monte Carlo errors, ESS and R-hat of each scalar, by default without warmup and of all chains that are long
   * enough. All figures are of the same draws; a variable that is ragged or holds strings is left out, and named.
   *
   * @example
   * const { columns, rows, draws } = await run.summary({ sort: '-rhat', limit: 20 })
   * for (const { label, figures } of rows) console.log(label, ...figures) // numbers, or the reason why there is none
   * @throws McbError `unknown_variable`, `chain_not_found`, `invalid_parameter`; `payload_too_large` for more than 10⁶ scalars, and
   *   for one of more draws than are computed at once
   */
  summary(options?: SummaryOptions): Promise<Summary>
  /**
   * Findings that tell whether the run can be trusted, always the same checks in the same order: each with a status, a sentence that has
   * the number and the source of its threshold, and what to do. The status of all is the worst of them.
   *
   * @example
   * const { status, checks } = await run.checks()
   * for (const { check, status, message, advice } of checks) if (status !== 'ok') console.log(check, message, advice)
   * @throws McbError `payload_too_large` for more than 10⁶ scalars, and for one of more draws than are computed at once
   */
  checks(options?: CheckOptions): Promise<RunChecks>
  /** Labels by dimension. */
  readonly coords: ReadonlyMap<string, LabelArray>
  /** Names of the dimensions of each variable and data variable that has them. */
  readonly dims: ReadonlyMap<string, readonly string[]>
  readonly constantData: ReadonlyMap<string, LabelArray>
  readonly observedData: ReadonlyMap<string, LabelArray>
}

/** One line of a list of runs. */
export interface RunSummary {
  readonly rid: string
  readonly createdAt: Date
  /** Moves with every chain and every append. */
  readonly updatedAt: Date
  readonly variables: number
  readonly sampleStats: number
  readonly chains: number
  /** Sum of the lengths of the chains. */
  readonly draws: number
  readonly name: string | null
  readonly tags: readonly string[]
  readonly archived: boolean
  readonly state: RunState
  /** Diagnostics as they were last computed; null where they never were. */
  readonly diagnostics: RunDiagnostics | null
}

/** All that is known of a run beside its draws. */
export interface RunAbout extends RunSummary, About {
  /** Attributes of the metadata, as plain JSON. */
  readonly attributes: { readonly [key: string]: JsonValue }
  /** Changes with each `setAbout`, for its `ifMatch`. */
  readonly etag: string
}

export interface AboutOptions {
  readonly ifMatch?: string
}

/** Runs that a list has, and the page of it. */
export interface RunQuery extends RunFilter {
  /** Runs on the page: 1 to 1000, 100 by default. */
  readonly limit?: number | undefined
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined
}

export interface RunPage {
  readonly runs: readonly RunSummary[]
  /** The beginning of the next page; absent on the last one. */
  readonly nextCursor?: string
}

export interface Backend {
  /** Registers a run under `meta.rid`; an equal one that is registered already is opened, another is `run_conflict`. */
  initRun(meta: mcbackend.RunMeta.$Properties): Promise<Run>
  getRun(rid: string): Promise<Run | undefined>
  /** Runs in reverse order of registration; archived ones only where they are asked for. */
  listRuns(query?: RunQuery): Promise<RunPage>
  /** Deletes a run with its chains and draws; false when there was none. */
  deleteRun(rid: string): Promise<boolean>
}
