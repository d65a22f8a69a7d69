/** Checks of runs: evidence of one moment is gathered from figures that are kept, and from sampler stats. */

import type { RunState } from '../about.ts'
import { type Blame, MOST_BLAMED } from '../diagnostics/checks/blame.ts'
import type { RunChecks } from '../diagnostics/checks/check.ts'
import { checksOf, LEAST_DRAWS } from '../diagnostics/checks/checks.ts'
import { samplingSeconds } from '../diagnostics/checks/eta.ts'
import type { ChainProgress, Evidence } from '../diagnostics/checks/evidence.ts'
import type { Growth } from '../diagnostics/checks/growth.ts'
import type { Ranked } from '../diagnostics/checks/ranked.ts'
import { worstFigures } from '../diagnostics/checks/worst-figures.ts'
import { type Figure, LOOK_FIGURES } from '../diagnostics/figures.ts'
import type { RunDiagnostics } from '../diagnostics/run-diagnostics.ts'
import type { ColumnSpec, RigidNumbers } from '../draws/columns.ts'
import { ElementNames } from '../draws/labels.ts'
import { McbError } from '../errors.ts'
import type { JsonObject } from '../json.ts'
import { LruMap } from '../lru.ts'
import { type Examined, gather, portions } from './examined-draws.ts'
import { PENDING_STATS, readStats, type StatEvidence } from './examined-stats.ts'
import type { Moment } from './moment.ts'
import { Scalars } from './rows.ts'
import type { DrawSource } from './source.ts'
import type { Stock } from './stock.ts'
import { type Asking, type Desk, MOST_SCALARS, type Summaries, settledWithin } from './summaries.ts'

/** All that is known of a run beside its draws. */
export interface Circumstances {
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly state: RunState
  readonly facts: JsonObject
  readonly attributes: JsonObject
}

/** Scalars of the largest R-hat that a chain to blame is looked for in, and of the least ESS whose growth is told. */
const BLAMED = 3
const GROWN = 1
/** R-hat from which on a chain is looked for, and the bulk ESS of a chain up to which growth is. */
const LEAST_BLAMED = 1.01
const MOST_GROWN = 100

/** Moments of runs whose evidence is kept. */
const JUDGED = 200
/** Share of the work that is done while some is left. */
const MOST_PROGRESS = 0.999

interface Causes {
  readonly blame: readonly Blame[]
  readonly growth: readonly Growth[]
  /** True where nothing is left to look for. */
  readonly isWhole: boolean
}

/** Evidence of one moment. */
interface Judged extends Omit<StatEvidence, 'divergent'>, Examined, Causes {}

interface Work {
  readonly desk: Desk
  readonly scalars: Scalars
  /** On the clock of `performance.now()`. */
  readonly until: number
}

const NO_CAUSES: Causes = { blame: [], growth: [], isWhole: true }

export interface Examination {
  readonly checks: RunChecks
  /** Figures that lists show; undefined while those of a scalar are pending. */
  readonly diagnostics: RunDiagnostics | undefined
}

export class Examinations {
  private readonly summaries: Summaries
  private readonly now: () => number
  private readonly stats = new WeakMap<Stock, Promise<StatEvidence>>()
  /** By the key of their stock: they are small, and outlive its figures. */
  private readonly judged = new LruMap<string, Judged>(JUDGED)

  /** @param now milliseconds since 1970 */
  constructor(summaries: Summaries, now: () => number = Date.now) {
    this.summaries = summaries
    this.now = now
  }

  /** @throws McbError `payload_too_large`, `overloaded`, `run_not_found` */
  async examine(source: DrawSource, run: Circumstances, asking: Asking): Promise<Examination> {
    const at = this.now()
    const until = performance.now() + asking.waitMs
    const desk = await this.summaries.desk(source, { warmup: 'exclude', convention: 'posterior' }, asking)
    const scalars = new Scalars([...source.schema.draws.values()].filter(isNumbers))
    if (scalars.total > MOST_SCALARS) throw tooMany(scalars.total)
    const { moment, stock } = desk
    const { isWhole, ...found } =
      this.judged.get(stock.key) ?? (await this.judge(source, run, { desk, scalars, until }))
    const names = new ElementNames(source.meta)
    const evidence: Evidence = {
      ...{ now: this.now(), isOver: run.state === 'done', progress: await progressOf(source, run) },
      ...{ chains: moment.chains.map(({ chain }) => chain), draws: moment.draws, scalars: scalars.total },
      label: (row) => {
        const { spec, element } = scalars.at(row)
        return names.of(spec, element).label
      },
      ...found,
      seconds: secondsOf(moment, run),
    }
    const checks = checksOf(evidence)
    const progress = Math.min(MOST_PROGRESS, found.inDraws.scalars / Math.max(1, scalars.total))
    return {
      checks: { rid: source.rid, registration: source.registration, ...checks, ...(!isWhole && { progress }) },
      diagnostics: worstFigures(evidence, checks, at),
    }
  }

  /** Gathers the evidence of a moment; once it is whole, it is kept. */
  private async judge(source: DrawSource, run: Circumstances, { desk, scalars, until }: Work): Promise<Judged> {
    const { moment, stock } = desk
    if (moment.draws * moment.chains.length < LEAST_DRAWS) {
      return { ...PENDING_STATS, ...(await gather(desk, new Scalars([]))), ...NO_CAUSES }
    }
    const { divergent, ...stats } = await this.statsWithin(source, run, desk, until)
    await this.fill(desk, scalars, divergent, until)
    const found = await gather(desk, scalars)
    const causes = await causesOf(desk, scalars, found, until)
    const isWhole = causes.isWhole && stats.divergences !== 'pending' && found.inDraws.scalars === scalars.total
    const judged = { ...stats, ...found, ...causes, isWhole }
    if (isWhole) this.judged.set(stock.key, judged)
    return judged
  }

  /** Evidence of stats, which are read once of a moment; pending where the time is over before. */
  private async statsWithin(
    source: DrawSource,
    run: Circumstances,
    { stock, moment }: Desk,
    until: number,
  ): Promise<StatEvidence> {
    const values = moment.draws * moment.chains.length
    if (values > this.summaries.limits.scalar) return PENDING_STATS
    let reading = this.stats.get(stock)
    if (reading === undefined) {
      reading = readStats(source, moment, run)
      this.stats.set(stock, reading)
      reading.catch(() => this.stats.delete(stock))
    }
    let stats = PENDING_STATS
    const read = reading.then((found) => {
      stats = found
    })
    await settledWithin(read, until - performance.now())
    return stats
  }

  /** Fills in the figures of all scalars, as many at a time as may be asked for at once. */
  private async fill(desk: Desk, scalars: Scalars, divergent: Uint8Array | undefined, until: number): Promise<void> {
    const { chains, draws } = desk.moment
    const most = Math.max(1, Math.floor(this.summaries.limits.values / (chains.length * draws)))
    const figures: Figure[] = ['rhat', 'ess_bulk', 'ess_tail', ...LOOK_FIGURES]
    const work = { figures: figures.filter((figure) => figure !== 'auc' || divergent !== undefined), divergent }
    for (const stretches of portions(scalars.allStretches(), most)) {
      if ((await desk.fill({ ...work, stretches }, until)) < 1) return
    }
  }
}

function isNumbers(spec: ColumnSpec): spec is RigidNumbers {
  return spec.kind === 'rigid-numbers'
}

function tooMany(scalars: number): McbError {
  const detail = `the run has ${scalars} scalars, and at most ${MOST_SCALARS} are judged`
  return new McbError('payload_too_large', detail, { limit: MOST_SCALARS })
}

/** Causes of what is bad in the worst scalars, as far as there is time to look for them. */
async function causesOf(desk: Desk, scalars: Scalars, found: Examined, until: number): Promise<Causes> {
  const { chains } = desk.moment
  const canBlame = chains.length > 1 && chains.length <= MOST_BLAMED
  const blamed = canBlame ? found.rhat.ranked.filter(({ value }) => value > LEAST_BLAMED).slice(0, BLAMED) : []
  const grown = found.essBulk.ranked.filter(({ value }) => value < MOST_GROWN * chains.length).slice(0, GROWN)
  const without = chains.map((_, position): Figure => `rhat_without:${position}`)
  const isFilled = async (rows: readonly Ranked[], figures: readonly Figure[]) =>
    rows.length === 0 ||
    (await desk.fill({ stretches: scalars.stretches(rows.map(({ row }) => row)), figures }, until)) === 1
  const at = (row: number, figure: Figure): number => {
    const { spec, element } = scalars.at(row)
    const value = desk.stock.at(spec, element, figure)
    return typeof value === 'number' ? value : value === 'infinite' ? Number.POSITIVE_INFINITY : Number.NaN
  }
  const isBlamed = await isFilled(blamed, without)
  const isGrown = await isFilled(grown, ['ess_first_half'])
  const blame = blamed.map(({ row, value }) => ({ row, rhat: value, without: without.map((each) => at(row, each)) }))
  const growth = grown.map(({ row, value }) => ({ row, half: at(row, 'ess_first_half'), all: value }))
  return {
    blame: isBlamed ? blame : [],
    growth: isGrown ? growth.filter(({ half }) => Number.isFinite(half)) : [],
    isWhole: isBlamed && isGrown,
  }
}

/** All chains; the usual pause of one is the mean time of a draw. */
async function progressOf(source: DrawSource, run: Circumstances): Promise<ChainProgress[]> {
  return (await source.states()).map(({ chain, length, updatedAt: written }) => {
    // A source that does not know when a chain was written says 0.
    const updatedAt = written === 0 ? run.updatedAt.getTime() : written
    const pause = (updatedAt - run.createdAt.getTime()) / 1000 / length
    return { chain, length, updatedAt, ...(length > 0 && pause > 0 && { pause }) }
  })
}

function secondsOf({ chains, draws }: Moment, { createdAt, updatedAt, facts }: Circumstances): number {
  const warmup = chains.reduce((most, each) => Math.max(most, each.warmup), 0)
  return samplingSeconds({ createdAt: createdAt.getTime(), updatedAt: updatedAt.getTime(), facts, warmup, draws })
}
