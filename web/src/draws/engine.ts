/** The worker's engine: runs that are open, their draws, and the answers to questions about them. */

import { buildSchema } from '../../../src/core/draws/columns.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import { warmupFlag } from '../../../src/core/warmup.ts'
import { Ahead } from './ahead.ts'
import { answerCloud } from './answer-cloud.ts'
import { answerDensity, answerRanks } from './answer-distribution.ts'
import {
  answerAutocorrelation,
  answerEssEvolution,
  answerEssLocal,
  answerEssQuantile,
  answerMcseQuantile,
  answerQuantiles,
} from './answer-figures.ts'
import { answerChainMeans, answerEnergies, answerMarked } from './answer-sampler.ts'
import { answerTrace } from './answer-trace.ts'
import { answerSparks, answerValues } from './answer-values.ts'
import { answerWithin } from './answer-within.ts'
import { Chains } from './chains.ts'
import { Desk, type Room } from './desk.ts'
import { Known } from './known.ts'
import { Loader } from './loader.ts'
import type { Answer, Ask, DrawsLink, Kind, OpenedRun } from './questions.ts'
import { Requests, type Send } from './requests.ts'
import { Shelf } from './series.ts'
import { Turns, URGENCY, type Urgency } from './turns.ts'

/** Bytes of draws that are kept of all runs. */
const BUDGET = 256 * 1024 * 1024
/** Values of one question: more of them would take more memory than a page may have. */
const MOST_VALUES = 2e7

/** The server has judged already: its limits may be others than the usual ones. */
const LIMITS = { ...DEFAULT_LIMITS, columns: Number.POSITIVE_INFINITY, elements: Number.POSITIVE_INFINITY }

type Answers = { readonly [K in Kind]: (desk: Desk, ask: Ask<K>) => Promise<Answer<K>> }

const ANSWERS: Answers = {
  trace: answerTrace,
  density: answerDensity,
  ranks: answerRanks,
  essLocal: answerEssLocal,
  essQuantile: answerEssQuantile,
  essEvolution: answerEssEvolution,
  autocorrelation: answerAutocorrelation,
  mcseQuantile: answerMcseQuantile,
  cloud: answerCloud,
  within: answerWithin,
  energies: answerEnergies,
  marked: answerMarked,
  chainMeans: answerChainMeans,
  sparks: answerSparks,
  quantiles: answerQuantiles,
  values: answerValues,
}

const URGENCIES: Readonly<Record<Kind, Urgency>> = {
  trace: URGENCY.seen,
  density: URGENCY.plot,
  ranks: URGENCY.plot,
  quantiles: URGENCY.plot,
  values: URGENCY.plot,
  cloud: URGENCY.plot,
  within: URGENCY.seen,
  energies: URGENCY.plot,
  marked: URGENCY.plot,
  chainMeans: URGENCY.plot,
  autocorrelation: URGENCY.plot,
  sparks: URGENCY.row,
  essLocal: URGENCY.long,
  essQuantile: URGENCY.long,
  essEvolution: URGENCY.long,
  mcseQuantile: URGENCY.long,
}

export interface EngineOptions {
  /** Way of requests; the browser's by default. */
  readonly send?: Send
  /** Bytes of draws that are kept of all runs. */
  readonly budget?: number
  /** Values of one question at most. */
  readonly most?: number
  /** Resolves when others have had a turn. */
  readonly turn?: () => Promise<void>
}

export class Engine {
  readonly shelf: Shelf
  private readonly requests: Requests
  private readonly turns: Turns
  private readonly most: number

  constructor({ send, budget = BUDGET, most = MOST_VALUES, turn }: EngineOptions = {}) {
    this.shelf = new Shelf(budget)
    this.requests = new Requests(send)
    this.turns = new Turns(turn)
    this.most = most
  }

  readonly open = (run: OpenedRun): DrawsLink => {
    const [variables, stats] = (['draws', 'stats'] as const).map((group) =>
      run.columns
        .filter((column) => column.group === group)
        .map(({ name, dtype, shape }) => ({ name, dtype, shape, undefinedNdim: shape === null })),
    )
    const schema = buildSchema(variables ?? [], stats ?? [], LIMITS)
    const { requests, turns, shelf, most } = this
    const loader = new Loader(run, shelf, requests)
    const chains = new Chains(loader, warmupFlag(schema))
    const closing = new AbortController()
    const ahead = new Ahead(loader, closing.signal)
    const known = new Known()
    const room = { run, schema, chains, loader, requests, turns, known, ahead, most, closing: closing.signal }
    return {
      grow: (lengths) => chains.grow(lengths),
      ask: (kind, question, signal) => answer(room, kind, question, signal),
      close: () => closing.abort(),
    }
  }
}

async function answer<K extends Kind>(room: Room, kind: K, ask: Ask<K>, asking?: AbortSignal): Promise<Answer<K>> {
  const ending = new AbortController()
  const signals = [room.closing, ...(asking === undefined ? [] : [asking])]
  const end = () => ending.abort(signals.find(({ aborted }) => aborted)?.reason)
  if (signals.some(({ aborted }) => aborted)) end()
  for (const signal of signals) signal.addEventListener('abort', end)
  try {
    ending.signal.throwIfAborted()
    return await ANSWERS[kind](new Desk(room, { urgency: URGENCIES[kind], signal: ending.signal }), ask)
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', end)
  }
}
