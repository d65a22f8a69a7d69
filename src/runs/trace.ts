/** Traces of a run over any Store: its draws go by page after page, and few of them are kept. */

import type { Buckets } from '../core/diagnostics/buckets.ts'
import { ChainTrace, type Kept, mostKept } from '../core/diagnostics/trace.ts'
import {
  bucketsOf,
  type Trace,
  type TracedChain,
  type TracedColumn,
  type TracePart,
  type TraceQuestion,
  tracedColumns,
  tracedNames,
} from '../core/diagnostics/traced.ts'
import type { ColumnSpec, RigidNumbers, Schema } from '../core/draws/columns.ts'
import type { Elements } from '../core/draws/elements.ts'
import { type ElementName, ElementNames } from '../core/draws/labels.ts'
import { resolveSlice, type Slice } from '../core/draws/slice.ts'
import { McbError } from '../core/errors.ts'
import { requireAnswerFits } from '../core/formats/answer.ts'
import type { Room } from '../core/formats/measure.ts'
import type { Limits } from '../core/limits.ts'
import { inOrder } from '../core/queues.ts'
import { PACE_BYTES, pieces, type Selection } from '../core/selection.ts'
import type { ChainState } from '../core/store.ts'
import { Pace, turn } from '../core/turn.ts'
import type { RunMeta } from '../core/wire/run-meta.ts'

/** The parts of a run that its traces need. */
export interface TracedRun {
  readonly meta: RunMeta
  readonly schema: Schema
  readonly limits: Limits
  /** @throws McbError `chain_not_found` */
  chainStates(chains?: readonly number[]): Promise<readonly ChainState[]>
  select(
    state: ChainState,
    columns: readonly ColumnSpec[],
    asked: { readonly slice: Slice; readonly elements?: Elements | undefined },
  ): Selection
}

interface PlannedChain {
  readonly state: ChainState
  /** Draws of it in the buckets. */
  readonly draws: number
}

/** A trace of which everything is known but the draws: it is of the moment at which it was planned. */
export interface TracePlan {
  readonly buckets: Buckets
  readonly columns: readonly TracedColumn[]
  readonly names: readonly ElementName[]
  readonly chains: readonly PlannedChain[]
}

/**
 * Draws that are kept at a time, and the bytes of one, with the copies that leave. All chains of an element are answered before
 * the next one, so that those of elements for which there is no room are gone through again.
 */
const MOST_KEPT = 512 * 1024
const KEPT_BYTES = 32
/** Bytes of the draws of chains that are read at a time, about, and their number. */
const PAGE_BYTES = 1024 * 1024
const MOST_CHAINS = 8
/** Least bytes of a draw in an answer: two digits and their commas. */
const LEAST_TEXT = 4

/**
 * @throws McbError `unknown_variable`, `invalid_parameter`, `invalid_slice`, `chain_not_found`, and `payload_too_large` for more
 *   values than a server goes through for one answer
 */
export async function planTrace(run: TracedRun, question: TraceQuestion): Promise<TracePlan> {
  const columns = tracedColumns(run.schema, question)
  const count = bucketsOf(question)
  const { start, stop } = question
  resolveSlice({ start, stop }, 0)
  const states = await run.chainStates(question.chains?.length ? [...new Set(question.chains)] : undefined)
  const longest = states.reduce((most, { length }) => Math.max(most, length), 0)
  const slice = resolveSlice({ start, stop }, longest)
  const buckets = { start: slice.first, stop: slice.first + slice.count, count }
  const chains = states.map((state) => {
    return { state, draws: Math.max(0, Math.min(buckets.stop, state.length) - buckets.start) }
  })
  const plan = { buckets, columns, names: tracedNames(columns, new ElementNames(run.meta)), chains }
  requireFits(plan, run.limits)
  return plan
}

function requireFits(plan: TracePlan, limits: Limits): void {
  const { chains, names } = plan
  const values = names.length * chains.reduce((n, { draws }) => n + draws, 0)
  if (values > limits.tracedValues) {
    throw new McbError(
      'payload_too_large',
      `the trace is of ${values} values, of which ${limits.tracedValues} can be gone through at once; name fewer elements or chains, or narrow the slice`,
      { limit: limits.tracedValues },
    )
  }
  requireAnswerFits(names.length * keptOfElement(plan) * LEAST_TEXT, limits)
}

/** Draws that are kept of all chains of an element at most. */
function keptOfElement({ chains, buckets }: TracePlan): number {
  return chains.reduce((n, { draws }) => n + mostKept('float64', buckets, draws), 0)
}

/** Consecutive elements that are gone through together. */
interface Pass {
  readonly columns: readonly RigidNumbers[]
  /** Elements of the one column; all when absent. */
  readonly elements?: Elements
  readonly count: number
}

/** Elements whose draws can be kept at a time, for which the room is taken; one for which it is not. */
function elementsAtOnce(plan: TracePlan, room: Room | undefined): { readonly most: number; readonly bytes: number } {
  const each = Math.max(1, keptOfElement(plan))
  let most = Math.min(plan.names.length, Math.floor(MOST_KEPT / each))
  for (; most > 1; most = Math.floor(most / 2)) {
    const bytes = most * each * KEPT_BYTES
    if (room === undefined || room.take(bytes)) return { most, bytes }
  }
  return { most: 1, bytes: 0 }
}

/** Passes over the draws, of at most so many elements each: whole columns, or some elements of one. */
function passesOf(plan: TracePlan, most: number): readonly Pass[] {
  const passes: Pass[] = []
  for (const { spec, elements, count } of plan.columns) {
    // A column without elements has no draws to look at, and any number of them.
    if (count === 0) continue
    const last = passes.at(-1)
    if (elements !== undefined || count > most) {
      const all = elements ?? Array.from({ length: count }, (_, i) => i)
      for (let at = 0; at < count; at += most) {
        const some = all.slice(at, at + most)
        passes.push({ columns: [spec], elements: some, count: some.length })
      }
    } else if (last !== undefined && last.elements === undefined && last.count + count <= most) {
      passes[passes.length - 1] = { columns: [...last.columns, spec], count: last.count + count }
    } else passes.push({ columns: [spec], count })
  }
  return passes
}

/**
 * The draws of a trace, element after element, and of each one chain after another.
 *
 * @param room room for draws that are kept, without which fewer are at a time
 * @throws McbError when nobody waits for the answer any more, as the room tells
 */
export async function* traceParts(run: TracedRun, plan: TracePlan, room?: Room): AsyncGenerator<TracePart> {
  const { most, bytes } = elementsAtOnce(plan, room)
  const pace = new Pace(PACE_BYTES)
  const pause = async (done: number) => {
    if (!pace.isDue(done)) return
    await turn()
    room?.take(0)
  }
  try {
    let first = 0
    for (const pass of passesOf(plan, most)) {
      yield* partsOf(run, plan, { ...pass, first }, pause)
      first += pass.count
    }
  } finally {
    room?.give(bytes)
  }
}

/** Counts bytes that were gone through, and waits for a turn of others now and then. */
type Pause = (bytes: number) => Promise<void>

async function* partsOf(
  run: TracedRun,
  plan: TracePlan,
  { first, ...pass }: Pass & { readonly first: number },
  pause: Pause,
): AsyncGenerator<TracePart> {
  const { buckets, chains } = plan
  const found = inOrder(chains, chainsAtOnce(pass, chains), async (chain) => {
    return { chain: chain.state.chain, elements: await keptOf(run, buckets, pass, chain, pause) }
  })
  const all: { readonly chain: number; readonly elements: readonly Kept[] }[] = []
  for await (const { chain, elements } of found) {
    // The chains of a single element come in the order of the answer, and are not held.
    if (pass.count > 1) all.push({ chain, elements })
    else for (const kept of elements) yield { element: first, chain, ...kept }
  }
  for (let i = 0; i < pass.count; i++) {
    for (const { chain, elements } of all) {
      const kept = elements[i]
      if (kept !== undefined) yield { element: first + i, chain, ...kept }
    }
  }
}

/** Chains that are read at a time: short ones, whose draws would hardly fill a page together, need not wait for one another. */
function chainsAtOnce({ columns, elements }: Pass, chains: readonly PlannedChain[]): number {
  const stride = columns.reduce((n, spec) => n + (elements?.length ?? spec.elements) * spec.itemSize, 0)
  const longest = chains.reduce((most, { draws }) => Math.max(most, draws), 1)
  return Math.max(1, Math.min(MOST_CHAINS, Math.floor(PAGE_BYTES / (longest * Math.max(1, stride)))))
}

/** The draws that are kept of each element of a pass, of one chain. */
async function keptOf(
  run: TracedRun,
  buckets: Buckets,
  { columns, elements }: Pass,
  { state, draws }: PlannedChain,
  pause: Pause,
): Promise<Kept[]> {
  const { start, stop } = buckets
  const selection = run.select(state, columns, { slice: { start, stop }, elements })
  const traces = selection.columns.flatMap((spec) => {
    if (spec.kind !== 'rigid-numbers') return []
    return { trace: new ChainTrace(spec, buckets, draws), stride: spec.stride }
  })
  for await (const { position, data } of pieces(selection)) {
    const traced = traces[position]
    if (traced === undefined) continue
    const step = Math.max(1, Math.floor(PACE_BYTES / traced.stride)) * traced.stride
    for (let at = 0; at < data.length; at += step) {
      const part = data.subarray(at, at + step)
      traced.trace.add(part)
      await pause(part.length)
    }
  }
  return traces.flatMap(({ trace }) => trace.finish())
}

/** The whole trace. @throws McbError as `planTrace` */
export async function traceOf(run: TracedRun, question: TraceQuestion): Promise<Trace> {
  const plan = await planTrace(run, question)
  const chains: TracedChain[][] = plan.names.map(() => [])
  for await (const { element, ...chain } of traceParts(run, plan)) chains[element]?.push(chain)
  const { start, stop, count } = plan.buckets
  return { start, stop, buckets: count, elements: plan.names.map((name, i) => ({ ...name, chains: chains[i] ?? [] })) }
}
