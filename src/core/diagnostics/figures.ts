/** Figures: what is computed of each scalar, by name, and tables of them. */

import { Divergent } from './checks/auc.ts'
import { rhatWithout } from './checks/blame.ts'
import { essOfFirstHalf } from './checks/growth.ts'
import { type Look, lookAt } from './checks/look.ts'
import type { Convention, Reason, Statistic } from './convention.ts'
import { essBulk, essTail } from './ess.ts'
import { mcseMean, mcseSd } from './mcse.ts'
import { paretoKhat } from './pareto.ts'
import { eti, hdi, mad, mean, median, sd } from './quantiles.ts'
import { rhat } from './rhat.ts'
import { Scalar, Workspace } from './scalar.ts'
import type { ScalarBlock } from './scalar-block.ts'
import type { Column, CredibleInterval } from './summary-columns.ts'

/** Figures of a look at the draws, in numbers. */
export const LOOK_FIGURES = ['non_finite', 'non_finite_in', 'repeats', 'repeats_in', 'still_in', 'auc'] as const
export type LookFigure = (typeof LOOK_FIGURES)[number]

/**
 * A column, with its interval where it is the bound of one: values of one name mean the same. Beside columns there are what checks
 * look at, R-hat without the chain at a position, and the bulk ESS of the first half of the draws.
 */
export type Figure =
  | Exclude<Column, 'lb' | 'ub'>
  | `${'lb' | 'ub'}:${'eti' | 'hdi'}:${number}`
  | LookFigure
  | `rhat_without:${number}`
  | 'ess_first_half'

export function figureOf(column: Column, { kind, prob }: CredibleInterval): Figure {
  return column === 'lb' || column === 'ub' ? `${column}:${kind}:${prob}` : column
}

const STATISTICS: Readonly<Record<Exclude<Column, 'lb' | 'ub'>, (scalar: Scalar) => Statistic>> = {
  mean,
  sd,
  median,
  mad,
  mcse_mean: mcseMean,
  mcse_sd: mcseSd,
  ess_bulk: essBulk,
  ess_tail: (scalar) => essTail(scalar),
  rhat,
  pareto_khat: (scalar) => paretoKhat(scalar),
}

function statisticOf(figure: Figure, looks: Looks): (scalar: Scalar) => Statistic {
  const [name, argument = '', prob] = figure.split(':')
  if (name === 'lb' || name === 'ub') {
    const interval = argument === 'hdi' ? hdi : eti
    const bound = name === 'lb' ? 0 : 1
    return (scalar) => interval(scalar, Number(prob))[bound]
  }
  if (name === 'rhat_without') return (scalar) => rhatWithout(scalar, Number(argument))
  if (name === 'ess_first_half') return essOfFirstHalf
  const look = LOOK_FIGURES.find((each) => each === name)
  return look === undefined
    ? STATISTICS[figure as Exclude<Column, 'lb' | 'ub'>]
    : (scalar) => looks.figure(look, scalar)
}

/** Looks at scalars, each of which tells several figures. */
class Looks {
  private readonly divergent: Divergent | undefined
  private scalar: Scalar | undefined
  private look: Look | undefined

  constructor(mask: Uint8Array | undefined) {
    this.divergent = mask === undefined ? undefined : new Divergent(mask)
  }

  figure(figure: LookFigure, scalar: Scalar): Statistic {
    if (this.look === undefined || this.scalar !== scalar) {
      this.scalar = scalar
      this.look = lookAt(scalar, this.divergent)
    }
    const { nonFinite, nonFiniteIn, isConstant, repeats, repeatsIn, stillIn, auc } = this.look
    switch (figure) {
      case 'non_finite':
        return nonFinite
      case 'non_finite_in':
        return nonFiniteIn
      case 'repeats':
        return isConstant ? 'constant' : repeats
      case 'repeats_in':
        return repeatsIn
      case 'still_in':
        return stillIn
      case 'auc':
        return Number.isNaN(auc) ? 'constant' : auc
    }
  }
}

/** Reasons by their code in a table; 0 stands for a number. */
const REASONS: readonly (Reason | 'pending' | undefined)[] = [
  undefined,
  'constant',
  'too_few',
  'nan',
  'infinite',
  'pending',
]
const PENDING = REASONS.indexOf('pending')

/** One figure of many scalars. */
export class FigureColumn {
  readonly values: Float64Array<ArrayBuffer>
  readonly codes: Uint8Array<ArrayBuffer>

  constructor(values: Float64Array<ArrayBuffer>, codes: Uint8Array<ArrayBuffer>) {
    this.values = values
    this.codes = codes
  }

  /** A column in which nothing is known yet. */
  static pending(size: number): FigureColumn {
    return new FigureColumn(new Float64Array(size).fill(Number.NaN), new Uint8Array(size).fill(PENDING))
  }

  at(row: number): number | Reason | 'pending' {
    return REASONS[this.codes[row] ?? PENDING] ?? (this.values[row] as number)
  }

  hasPending(row: number, count: number): boolean {
    const at = this.codes.indexOf(PENDING, row)
    return at >= 0 && at < row + count
  }

  slice(from: number, to: number): FigureColumn {
    return new FigureColumn(this.values.subarray(from, to), this.codes.subarray(from, to))
  }

  put(row: number, value: Statistic): void {
    this.values[row] = typeof value === 'number' ? value : Number.NaN
    this.codes[row] = typeof value === 'number' ? 0 : REASONS.indexOf(value)
  }

  /** Takes over the rows of a part of the scalars, from `row` on. */
  place(row: number, part: FigureColumn): void {
    this.values.set(part.values, row)
    this.codes.set(part.codes, row)
  }
}

export type FigureTable = ReadonlyMap<Figure, FigureColumn>

/** Figures of a block that are asked for. */
export interface Plan {
  readonly convention: Convention
  readonly figures: readonly Figure[]
  /** 1 for each draw of all chains that diverged, for `auc`. */
  readonly divergent?: Uint8Array | undefined
}

/** Computes the figures of a block; stops behind each scalar, so that others may have a turn. */
export function* computeFigures(block: ScalarBlock, plan: Plan): Generator<void, FigureTable> {
  const { elements, chains, draws } = block.shape
  const workspace = workspaceOf(chains, draws)
  const looks = new Looks(plan.divergent)
  const columns = plan.figures.map((figure) => ({
    figure,
    statistic: statisticOf(figure, looks),
    column: FigureColumn.pending(elements),
  }))
  for (let element = 0; element < elements; element++) {
    const each = new Scalar(workspace, block.scalar(element), plan.convention)
    for (const { statistic, column } of columns) column.put(element, statistic(each))
    yield
  }
  return new Map(columns.map(({ figure, column }) => [figure, column]))
}

let last: Workspace | undefined

/** The workspace of the block before where it has the same shape: its tables of z-scores are costly. */
function workspaceOf(chains: number, draws: number): Workspace {
  if (last?.chains !== chains || last.draws !== draws) last = new Workspace(chains, draws)
  return last
}
