/** Questions for a summary (docs/protocol.md §8), as they are parsed once. */

import type { Convention } from '../diagnostics/convention.ts'
import type { Column, CredibleInterval } from '../diagnostics/summary-columns.ts'
import type { ColumnSpec } from '../draws/columns.ts'

export const WARMUP_CHOICES = ['exclude', 'include', 'only'] as const
export type WarmupChoice = (typeof WARMUP_CHOICES)[number]
export const INTERVAL_KINDS = ['eti', 'hdi'] as const

export interface Sort {
  readonly column: Column
  readonly order: 'rising' | 'falling'
}

export interface SummaryQuestion {
  /** Columns of the run; variables of which nothing can be computed are left out, and named. */
  readonly specs: readonly ColumnSpec[]
  /** Elements of the one column; all when absent. */
  readonly elements?: readonly number[] | undefined
  /** Numbers of chains; when absent, all that are long enough. */
  readonly chains?: readonly number[] | undefined
  readonly warmup: WarmupChoice
  readonly convention: Convention
  readonly ci: CredibleInterval
  readonly columns: readonly Column[]
  /** Order of registration when absent. */
  readonly sort?: Sort | undefined
  readonly limit: number
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined
}

export const DEFAULT_COLUMNS: readonly Column[] = [
  'mean',
  'sd',
  'median',
  'lb',
  'ub',
  'mcse_mean',
  'mcse_sd',
  'ess_bulk',
  'ess_tail',
  'rhat',
]
export const DEFAULT_INTERVAL: CredibleInterval = { kind: 'eti', prob: 0.89 }
export const DEFAULT_LIMIT = 1000
export const MAX_LIMIT = 10_000
