/** Rows of a summary as arrays of numbers, as the worker of figures hands them on. */
import type { Reason, SummaryColumn } from '../api/summary.ts'

/** Columns of the page's figures; numbers are kept in this order. */
export const FIGURE_COLUMNS = [
  'mean',
  'mcse_mean',
  'sd',
  'lb',
  'ub',
  'ess_bulk',
  'ess_tail',
  'rhat',
  'pareto_khat',
] as const satisfies readonly SummaryColumn[]

export type FigureColumn = (typeof FIGURE_COLUMNS)[number]

/** Reasons for figures that are none, by their number; 0 is a figure. */
export const REASONS: readonly (Reason | undefined)[] = [undefined, 'pending', 'too_few', 'constant', 'nan', 'infinite']

/** A question to the worker: all pages of a summary. */
export interface FiguresAsk {
  readonly id: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly key: string | undefined
}

export interface FiguresPage {
  /** Place of its first row among all. */
  readonly first: number
  readonly rows: number
  /** `values[column * rows + row]`, NaN where there is a reason. */
  readonly values: Float64Array<ArrayBuffer>
  readonly reasons: Uint8Array<ArrayBuffer>
  /** Draws of each chain. */
  readonly draws: number
  readonly chains: number
  readonly isComplete: boolean
  /** Share of the work that is done. */
  readonly progress: number
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[]
}

export type FiguresNews =
  | { readonly id: number; readonly type: 'page'; readonly page: FiguresPage }
  | { readonly id: number; readonly type: 'end' }
  | {
      readonly id: number
      readonly type: 'failed'
      readonly status: number
      readonly code: string
      readonly detail: string
      readonly retryAfter: number | undefined
    }

/** Reads an answer of JSON, by hand: a library takes a second for 10,000 rows. */
export function readPage(answer: unknown, first: number): FiguresPage & { readonly nextCursor: string | undefined } {
  const { rows, draws, chains, complete, progress, leftOut, nextCursor } = Object(answer)
  const list: readonly unknown[] = Array.isArray(rows) ? rows : []
  const values = new Float64Array(FIGURE_COLUMNS.length * list.length).fill(Number.NaN)
  const reasons = new Uint8Array(values.length)
  for (const [r, row] of list.entries()) {
    const figures = Object(row)
    for (const [c, column] of FIGURE_COLUMNS.entries()) {
      const value: unknown = figures[column]
      const at = c * list.length + r
      if (typeof value === 'number') values[at] = value
      else reasons[at] = Math.max(1, REASONS.indexOf(Object(figures.reasons)[column]))
    }
  }
  const isComplete = complete === true
  return {
    first,
    rows: list.length,
    values,
    reasons,
    draws: Number(draws),
    chains: Array.isArray(chains) ? chains.length : 0,
    isComplete,
    progress: typeof progress === 'number' ? progress : Number(isComplete),
    leftOut: Array.isArray(leftOut) ? leftOut.map(leftOutOf) : [],
    nextCursor: typeof nextCursor === 'string' ? nextCursor : undefined,
  }
}

function leftOutOf(given: unknown): { readonly name: string; readonly reason: string } {
  const { variable, stat, chain, reason } = Object(given)
  return { name: String(variable ?? stat ?? `chain ${chain}`), reason: String(reason) }
}

/** The interval that the address names, as `hdi:0.94`; 89 % of equal tails otherwise. */
export function intervalOf(text: string | undefined): { readonly kind: 'eti' | 'hdi'; readonly prob: number } {
  const [, kind, share] = /^(eti|hdi):(0?\.\d{1,6})$/.exec(text ?? '') ?? []
  const prob = Number(share)
  return prob > 0 && prob < 1 ? { kind: kind === 'hdi' ? 'hdi' : 'eti', prob } : { kind: 'eti', prob: 0.89 }
}
