/** Columns of the table of variables: their names, widths, texts, and what counts as bad. */
import type { Reason } from '../../api/summary.ts'
import { count, rhatText, significant, withError } from '../../paint/number.ts'
import type { Figures } from '../../run/figures.ts'
import type { FigureColumn } from '../../run/figures-page.ts'

export type Verdict = 'ok' | 'warn' | 'fail'

export interface Cell {
  readonly text: string
  readonly verdict: Verdict
  /** True for a reason instead of a number. */
  readonly isReason: boolean
}

export interface TableColumn {
  /** Figure by which it is sorted. */
  readonly figure: FigureColumn
  /** Class of its cells, and key. */
  readonly name: string
  readonly title: string
  /** Words for those who do not know its name. */
  readonly words: string
  readonly worst: 'least' | 'greatest'
  readonly cell: (figures: Figures, row: number, chains: number) => Cell
}

const REASON_WORDS: Readonly<Record<Reason, string>> = {
  pending: '…',
  too_few: 'too few draws',
  constant: 'constant',
  nan: 'NaN',
  infinite: '∞',
}

function plain(
  figure: FigureColumn,
  text: (value: number) => string,
  verdict?: (value: number, chains: number) => Verdict,
) {
  return (figures: Figures, row: number, chains: number): Cell => {
    const reason = figures.reason(figure, row)
    if (reason !== undefined) {
      const isBad = reason === 'nan' || reason === 'infinite'
      return { text: REASON_WORDS[reason], verdict: isBad ? 'fail' : 'ok', isReason: true }
    }
    const value = figures.value(figure, row)
    return { text: text(value), verdict: verdict?.(value, chains) ?? 'ok', isReason: false }
  }
}

/** Bounds of the checks. */
export function rhatVerdict(value: number): Verdict {
  return value > 1.05 ? 'fail' : value > 1.01 ? 'warn' : 'ok'
}

export function essVerdict(value: number, chains: number): Verdict {
  return value < 25 * chains ? 'fail' : value < 100 * chains ? 'warn' : 'ok'
}

const khatVerdict = (value: number): Verdict => (value > 1 ? 'fail' : value > 0.7 ? 'warn' : 'ok')

export const MEAN: TableColumn = {
  figure: 'mean',
  name: 'mean',
  title: 'mean ± mcse',
  words: 'mean and its Monte Carlo standard error',
  worst: 'greatest',
  cell: (figures, row, chains) => {
    const mean = plain('mean', (value) => significant(value, 4))(figures, row, chains)
    if (mean.isReason) return mean
    const error = figures.value('mcse_mean', row)
    if (Number.isNaN(error)) return mean
    const value = figures.value('mean', row)
    return { ...mean, text: `${withError(value, error)} ± ${significant(error, 2)}` }
  },
}

export function columnsFor(interval: string): readonly TableColumn[] {
  return [
    MEAN,
    {
      figure: 'sd',
      name: 'sd',
      title: 'sd',
      words: 'standard deviation',
      worst: 'greatest',
      cell: plain('sd', (value) => significant(value, 3)),
    },
    {
      figure: 'lb',
      name: 'interval',
      title: interval,
      words: 'credible interval',
      worst: 'greatest',
      cell: (figures, row, chains) => {
        const low = plain('lb', (value) => significant(value, 3))(figures, row, chains)
        if (low.isReason) return low
        return { ...low, text: `${low.text} … ${significant(figures.value('ub', row), 3)}` }
      },
    },
    {
      figure: 'ess_bulk',
      name: 'bulk',
      title: 'bulk',
      words: 'effective sample size of the bulk',
      worst: 'least',
      cell: plain('ess_bulk', count, essVerdict),
    },
    {
      figure: 'ess_tail',
      name: 'tail',
      title: 'tail',
      words: 'effective sample size of the tails',
      worst: 'least',
      cell: plain('ess_tail', count, essVerdict),
    },
    {
      figure: 'rhat',
      name: 'rhat',
      title: 'R-hat',
      words: 'R-hat, split and rank-normalised',
      worst: 'greatest',
      cell: plain('rhat', rhatText, rhatVerdict),
    },
    {
      figure: 'pareto_khat',
      name: 'khat',
      title: 'k-hat',
      words: 'Pareto k-hat of the tails',
      worst: 'greatest',
      cell: plain('pareto_khat', (value) => value.toFixed(2).replace('-', '−'), khatVerdict),
    },
  ]
}

export const SIGNS: Readonly<Record<Verdict, string>> = { ok: '', warn: '! ', fail: '✗ ' }
export const WORDS: Readonly<Record<Verdict, string>> = { ok: '', warn: ', look', fail: ', problem' }
