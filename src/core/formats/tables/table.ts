/** Tables of draws: a row a draw, chain after chain, and a column a scalar; the forms of tables write them out. */

import type { RigidColumn } from '../../draws/elements.ts'
import type { Selection } from '../../selection.ts'

export interface DrawTable {
  readonly columns: readonly RigidColumn[]
  /** Names of the scalars, column after column and in C order, as often as they are asked for; each is another. */
  readonly names: () => Iterable<string>
  readonly parts: readonly TablePart[]
}

/** The rows of one chain. */
export interface TablePart {
  readonly selection: Selection
  /** Number of the first row's draw within its chain, from 1, by the choice of warmup; rows that follow have `step` more each. */
  readonly first: number
  readonly step: number
}

/** Columns before those of scalars: numbers that count from 1, as R's posterior has them. */
export const ID_COLUMNS = ['.chain', '.iteration', '.draw'] as const

/** Number of the first of these scalars, all of them together. */
export function scalarsOf(columns: readonly RigidColumn[]): number {
  return columns.reduce((n, { elements }) => n + elements, 0)
}

/** Bytes of rows that are read at a time, of few columns and of many: each column is a read of the storage of its own. */
const WINDOW_BYTES = { least: 1024 * 1024, most: 4 * 1024 * 1024, ofColumn: 512 } as const

export function windowBytes(columns: readonly RigidColumn[]): number {
  const { least, most, ofColumn } = WINDOW_BYTES
  return Math.min(most, Math.max(least, columns.length * ofColumn))
}
