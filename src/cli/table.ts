/** Tables for people: columns as wide as they must be, numbers to the right, sizes and times as one reads them. */
import { filled, shown, widthOf } from './terminal.ts'

export type Cell = string | number | boolean | null | undefined

/** Columns of the terminal that a cell takes at most. */
const CELL = 128

/**
 * @param most columns of each cell, where it may take fewer than a rid has characters
 * @param right columns of texts that end at the right, as numbers do
 */
export function table(
  heads: readonly string[],
  rows: readonly (readonly Cell[])[],
  most: readonly (number | undefined)[] = [],
  right: readonly number[] = [],
): string {
  if (rows.length === 0) return 'none'
  const shownRows = rows.map((row) => row.map((cell, column) => textOf(cell, most[column] ?? CELL)))
  const texts = [heads.map((head) => shown(head, CELL)), ...shownRows]
  const widths = heads.map((_, column) => Math.max(...texts.map((row) => widthOf(row[column] ?? ''))))
  const isNumber = heads.map(
    (_, column) => right.includes(column) || rows.every((row) => typeof row[column] === 'number'),
  )
  const line = (row: readonly string[]) =>
    row
      .map((text, column) => filled(text, widths[column] ?? 0, isNumber[column] ? 'left' : 'right'))
      .join('  ')
      .trimEnd()
  return texts.map(line).join('\n')
}

function textOf(cell: Cell, most: number): string {
  if (cell === null || cell === undefined || cell === '') return '-'
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no'
  if (typeof cell === 'number') return String(cell)
  const text = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(cell) ? `${cell.slice(0, 10)} ${cell.slice(11, 19)}Z` : cell
  // Text from a server must not steer the terminal.
  return shown(text, most)
}

export function sizeText(bytes: unknown): string {
  if (typeof bytes !== 'number') return '-'
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let size = bytes
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}
