/** Summaries of runs: computed once for all who ask, kept for as long as there is room, and of one moment. */

import { figureOf } from '../diagnostics/figures.ts'
import type { Column } from '../diagnostics/summary-columns.ts'
import type { ColumnSpec, RigidNumbers } from '../draws/columns.ts'
import { ElementNames } from '../draws/labels.ts'
import { McbError } from '../errors.ts'
import { Pace, turn } from '../turn.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { SummaryMemory } from './memory.ts'
import { type Moment, presentMoment } from './moment.ts'
import type { SummaryQuestion } from './question.ts'
import { rowOf, Scalars, sorted } from './rows.ts'
import { ROWS_PER_TURN } from './rows-per-turn.ts'
import type { DrawSource } from './source.ts'
import type { Stock, Stretch } from './stock.ts'
import type { LeftOutVariable, Summary, SummaryRow } from './summary.ts'
import type { Job, Order, Workshop } from './workshop.ts'

export interface SummaryLimits {
  /** Values (draws of all chains and scalars) that one page needs. */
  readonly values: number
  /** Values of one scalar, which are held as a whole. */
  readonly scalar: number
  /** Bytes of figures that are kept. */
  readonly keptBytes: number
}

export const SUMMARY_LIMITS: SummaryLimits = { values: 2e8, scalar: 1e7, keptBytes: 64 * 1024 * 1024 }
/** Computing takes 70 bytes for each value of a scalar, beside 16 MiB, and an isolate has 128 MB for everything. */
export const ISOLATE_SUMMARY_LIMITS: SummaryLimits = { values: 2e7, scalar: 5e5, keptBytes: 8 * 1024 * 1024 }

/** Scalars that a page may be chosen of. */
export const MOST_SCALARS = 1_000_000

/** Milliseconds without a write after which a run counts as one that rests. */
const RESTS_MS = 2000
/** Share of a growing run's draws that an answer has at least: figures are computed anew when a run has grown by a quarter. */
const ENOUGH = 0.8

export interface Asking {
  /** Those who share turns at computing: a tenant. */
  readonly owner: object
  /** Milliseconds that the answer may take; the figures that are not known then are pending. */
  readonly waitMs: number
  /** Resolves when nothing more is computed for this answer. */
  readonly over?: Promise<void>
}

/** Those who ask, and the end of all work for them. */
type Asker = Pick<Asking, 'owner' | 'over'>

/** Choices that decide which draws figures are of, and how they are defined. */
export type MomentChoice = Pick<SummaryQuestion, 'warmup' | 'chains' | 'convention'>

/** Figures of one moment of a run, and the way to more of them. */
export interface Desk {
  readonly moment: Moment
  readonly stock: Stock
  /**
   * Waits until figures are known, or the time of `performance.now()` has come; the share of the work that is done.
   *
   * @throws McbError `payload_too_large`, `overloaded`
   */
  fill(work: Pick<Order, 'stretches' | 'figures' | 'divergent'>, until: number): Promise<number>
}

export class Summaries {
  readonly workshop: Workshop
  readonly limits: SummaryLimits
  private readonly memory: SummaryMemory
  private readonly jobs = new Map<string, Job>()

  constructor(workshop: Workshop, limits = SUMMARY_LIMITS, memory = new SummaryMemory(limits.keptBytes)) {
    this.workshop = workshop
    this.limits = limits
    this.memory = memory
  }

  /** @throws McbError `chain_not_found`, `invalid_parameter`, `run_replaced`, `payload_too_large`, `overloaded` */
  async answer(source: DrawSource, question: SummaryQuestion, asking: Asking): Promise<Summary> {
    const until = performance.now() + asking.waitMs
    const { sort, columns, ci, limit } = question
    const { moment, offset } = await this.begin(source, question)
    const { numbers, leftOut } = sortOut(question.specs)
    const scalars = new Scalars(numbers, question.elements)
    if (scalars.total > MOST_SCALARS) throw tooMuch(scalars.total, MOST_SCALARS, 'scalars')
    const stock = this.stock(source, moment, question)
    const fill = (stretches: readonly Stretch[], wanted: readonly Column[]) => {
      const figures = wanted.map((column) => figureOf(column, ci))
      return this.fill({ source, stock, stretches, figures, owner: asking.owner }, until, asking.over)
    }
    let known = sort === undefined ? 1 : await fill(scalars.allStretches(), [sort.column])
    const order = sort === undefined ? undefined : sorted(scalars, stock, sort, ci)
    const end = Math.min(scalars.total, offset + limit)
    const rows = Array.from({ length: Math.max(0, end - offset) }, (_, i) => order?.[offset + i] ?? offset + i)
    if (known === 1) known = await fill(scalars.stretches(rows), columns)
    this.memory.trim()
    const shown = await this.rows(
      source,
      rows.map((scalar) => scalars.at(scalar)),
      stock,
      question,
    )
    const { rid, registration } = source
    const next = { registration, moment, sort, offset: end }
    return {
      ...{ rid, registration, convention: question.convention, ci, warmup: question.warmup },
      complete: known === 1,
      ...(known < 1 && { progress: known }),
      chains: moment.chains,
      leftOut: [...moment.leftOut, ...leftOut],
      draws: moment.draws,
      columns,
      rows: shown,
      ...(end < scalars.total && { nextCursor: encodeCursor(next) }),
    }
  }

  /** Rows of a page, with turns for others in between. */
  private async rows(
    source: DrawSource,
    scalars: readonly { readonly spec: RigidNumbers; readonly element: number }[],
    stock: Stock,
    { columns, ci }: SummaryQuestion,
  ): Promise<SummaryRow[]> {
    const names = new ElementNames(source.meta)
    const figures = columns.map((column) => figureOf(column, ci))
    const pace = new Pace(ROWS_PER_TURN)
    const rows: SummaryRow[] = []
    for (const scalar of scalars) {
      rows.push(rowOf(scalar, stock, figures, names))
      if (pace.isDue(1)) await turn()
    }
    return rows
  }

  /**
   * The present moment of a run, for those who ask for other figures than a page has.
   *
   * @throws McbError `chain_not_found`
   */
  async desk(source: DrawSource, choice: MomentChoice, { owner, over }: Asker): Promise<Desk> {
    const moment = await this.moment(source, choice)
    const stock = this.stock(source, moment, choice)
    const fill: Desk['fill'] = async (work, until) => {
      const known = await this.fill({ ...work, source, stock, owner }, until, over)
      this.memory.trim()
      return known
    }
    return { moment, stock, fill }
  }

  /** The moment of the answer, and the rows before it. */
  private async begin(source: DrawSource, question: SummaryQuestion): Promise<{ moment: Moment; offset: number }> {
    const { cursor: text, sort } = question
    if (text === undefined) return { moment: await this.moment(source, question), offset: 0 }
    const cursor = decodeCursor(text, sort)
    if (cursor.registration !== source.registration) {
      throw new McbError('run_replaced', `run "${source.rid}" was deleted and registered again`)
    }
    await requireDraws(source, cursor.moment)
    return cursor
  }

  /** The present moment, or of a run that grows the one before, if that has enough of the draws. */
  private async moment(source: DrawSource, { warmup, chains, convention }: MomentChoice): Promise<Moment> {
    const present = await presentMoment(source, this.memory.warmups, warmup, chains)
    const key = [source.registration, warmup, convention, chains?.join() ?? ''].join('/')
    const before = this.memory.latest.get(key)
    const grows = Date.now() - present.updatedAt < RESTS_MS
    const moment = before !== undefined && grows && isEnough(before, present) ? before : present
    this.memory.latest.set(key, moment)
    return moment
  }

  private stock({ registration }: DrawSource, moment: Moment, { warmup, convention }: MomentChoice): Stock {
    return this.memory.stock([registration, warmup, convention].join('/'), moment, convention)
  }

  /** Waits until the figures are known, or the time is over; the share of the work that is done. */
  private async fill(order: Order, until: number, over?: Promise<void>): Promise<number> {
    const { stock, figures } = order
    const isLacking = (stretch: Stretch) => stock.missing(stretch, figures).length > 0
    const stretches = order.stretches.filter(isLacking)
    if (stretches.length === 0) return 1
    this.requireFits(stretches, stock.moment)
    const job = this.job({
      ...order,
      stretches,
      urgency: ({ spec, from, to }) => worstRhat(stock.hints, spec, from, to),
    })
    job.waiting++
    try {
      const ended = over === undefined ? job.ended : Promise.race([job.ended, over])
      await settledWithin(ended, until - performance.now())
    } finally {
      job.waiting--
      if (job.waiting === 0) this.workshop.leave(job)
    }
    return stretches.some(isLacking) ? Math.min(0.999, job.progress) : 1
  }

  /** The job for an order, which may be at work for somebody else already. */
  private job(order: Order): Job {
    const { stock, figures, stretches } = order
    const parts = stretches.map(({ spec, from, to }) => `${spec.index}:${from}:${to}`)
    const key = [stock.key, figures.join(), parts.join()].join('/')
    const running = this.jobs.get(key)
    if (running !== undefined && !running.isGivenUp) return running
    const job = this.workshop.start(order)
    this.jobs.set(key, job)
    const forget = () => {
      if (this.jobs.get(key) === job) this.jobs.delete(key)
    }
    void job.ended.then(forget, forget)
    return job
  }

  private requireFits(stretches: readonly Stretch[], { chains, draws }: Moment): void {
    const scalar = chains.length * draws
    if (scalar > this.limits.scalar) throw tooMuch(scalar, this.limits.scalar, 'draws of a scalar')
    const values = stretches.reduce((n, { from, to }) => n + (to - from) * scalar, 0)
    if (values > this.limits.values) throw tooMuch(values, this.limits.values, 'values')
  }
}

function tooMuch(given: number, limit: number, what: string): McbError {
  const detail = `the answer needs ${given} ${what}, and at most ${limit} are computed at once; name fewer variables, elements or chains`
  return new McbError('payload_too_large', detail, { limit })
}

/** Numbers of fixed shape; the other columns are left out, and named. */
function sortOut(specs: readonly ColumnSpec[]): { numbers: RigidNumbers[]; leftOut: LeftOutVariable[] } {
  const numbers: RigidNumbers[] = []
  const leftOut: LeftOutVariable[] = []
  for (const spec of specs) {
    if (spec.kind === 'rigid-numbers') numbers.push(spec)
    else leftOut.push({ variable: spec.name, reason: spec.dtype === 'str' ? 'strings' : 'ragged' })
  }
  return { numbers, leftOut }
}

/** @throws McbError `invalid_parameter` where the run has never had the draws of a cursor */
async function requireDraws(source: DrawSource, { chains, draws }: Moment): Promise<void> {
  const states = new Map((await source.states()).map(({ chain, length }) => [chain, length]))
  if (chains.every(({ chain, first }) => first + draws <= (states.get(chain) ?? -1))) return
  throw new McbError('invalid_parameter', `"cursor" is of draws that run "${source.rid}" has not`)
}

/** True if an earlier moment is of the same chains, and of most of their draws. */
function isEnough(before: Moment, present: Moment): boolean {
  if (before.draws < ENOUGH * present.draws || before.chains.length !== present.chains.length) return false
  return before.chains.every(({ chain, first }, i) => {
    const part = present.chains[i]
    return part?.chain === chain && part.first === first
  })
}

/** The worst R-hat that elements had before; what has none is as bad as can be. */
function worstRhat(hints: Stock | undefined, spec: RigidNumbers, from: number, to: number): number {
  if (hints === undefined) return 0
  let worst = 0
  const column = hints.column([{ spec, from, to }], 'rhat')
  for (let row = 0; row < to - from; row++) {
    const value = column.at(row)
    if (typeof value === 'number') worst = Math.max(worst, value)
    else if (value === 'infinite' || value === 'nan') return Number.POSITIVE_INFINITY
  }
  return worst
}

/** Waits for work that may take longer than there is time. */
export async function settledWithin(work: Promise<void>, milliseconds: number): Promise<void> {
  if (milliseconds === Number.POSITIVE_INFINITY) return work
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, milliseconds))
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
