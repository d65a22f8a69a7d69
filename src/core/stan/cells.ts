/**
 * Cells of a row, as numbers. Programs for Windows write `1e+003`, `-nan(ind)` and `1.#QNAN`, R writes `NA` and `Inf`.
 */
import type { Steps } from '../turn.ts'
import { StanError, shown } from './stan-error.ts'

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const NAN = /^(?:[+-]?nan(?:\(\w*\))?|[+-]?1\.#(?:QNAN|SNAN|IND)\d*|NA)$/i
const INFINITY = /^(?:([+-]?)(?:inf(?:inity)?|1\.#INF0*))$/i

/** Characters of a number at most. */
const MOST_CHARACTERS = 1000
/** Bytes of a line that become text at once, and behind which there is a turn. */
const WINDOW_BYTES = 64 * 1024

const COMMA = 0x2c
const decoder = new TextDecoder('latin1')

/**
 * Reads the numbers of a line.
 *
 * @param into takes them, from its beginning
 * @throws StanError for another number of cells, and a cell that is no number
 */
export function* readCells(line: Uint8Array, into: Float64Array<ArrayBuffer>): Steps<void> {
  let count = 0
  for (let from = 0; from <= line.length; ) {
    const end = windowEnd(line, from)
    const text = decoder.decode(line.subarray(from, end))
    for (let at = 0; at <= text.length; ) {
      const comma = text.indexOf(',', at)
      const stop = comma < 0 ? text.length : comma
      if (count < into.length) into[count] = numberOf(text.slice(at, stop))
      count++
      at = stop + 1
    }
    from = end + 1
    if (from <= line.length) yield
  }
  if (count !== into.length) throw new StanError(`there are ${count} values, not ${into.length}`)
}

/** The end of the last cell of the next bytes: a comma, or the end of the line. */
function windowEnd(line: Uint8Array, from: number): number {
  if (line.length - from <= WINDOW_BYTES) return line.length
  const last = line.lastIndexOf(COMMA, from + WINDOW_BYTES)
  if (last > from) return last
  const next = line.indexOf(COMMA, from + WINDOW_BYTES)
  return next < 0 ? line.length : next
}

function numberOf(text: string): number {
  const cell = text.trim()
  if (cell.length <= MOST_CHARACTERS) {
    if (NUMBER.test(cell)) return finite(cell)
    if (NAN.test(cell)) return Number.NaN
    const sign = INFINITY.exec(cell)?.[1]
    if (sign !== undefined) return sign === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }
  throw new StanError(`${shown(cell)} is no number`)
}

/** A number that no double holds is none of Stan's: it would become an infinity. */
function finite(cell: string): number {
  const number = Number(cell)
  if (Number.isFinite(number)) return number
  throw new StanError(`${shown(cell)} is larger than any double`)
}
