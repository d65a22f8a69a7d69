/** A table of draws as CSV (RFC 4180, with ends of lines as Unix has them). */

import type { Bytes } from '../../draws/segment.ts'
import { PACE_BYTES } from '../../selection.ts'
import { Pace, turn } from '../../turn.ts'
import { type Cells, cellsOf } from './csv-cells.ts'
import { CsvSink } from './csv-sink.ts'
import { tableRows } from './rows.ts'
import { type DrawTable, ID_COLUMNS, type TablePart, windowBytes } from './table.ts'

/** Columns that a table may have: no reader takes more, and their names must be told apart. */
export const MOST_CSV_COLUMNS = 1_048_576

const encoder = new TextEncoder()

/**
 * The table as text: a line with the names, and one for each row. Floats have their shortest digits and `.0` behind an integer, or
 * are `NaN`, `inf` and `-inf`; bools are `TRUE` and `FALSE`: R, pandas, Polars and DuckDB take all of them for what they are.
 */
export async function* csvTable(table: DrawTable): AsyncGenerator<Bytes> {
  const sink = new CsvSink()
  const pace = new Pace(PACE_BYTES / 8)
  for (const text of headTexts(table)) {
    yield encoder.encode(text)
    if (pace.isDue(text.length)) await turn()
  }
  let draw = 0
  for (const part of table.parts) {
    for await (const chunk of partRows(sink, part, table, draw)) {
      yield chunk
      if (pace.isDue(chunk.length)) await turn()
    }
    draw += part.selection.slice.count
  }
  yield* sink.rest()
}

/** Characters of names that are gathered. */
const HEAD_STEP = 64 * 1024

function* headTexts({ names }: DrawTable): Generator<string> {
  let text = ID_COLUMNS.join()
  for (const name of names()) {
    text += `,${csvCell(name)}`
    if (text.length < HEAD_STEP) continue
    yield text
    text = ''
  }
  yield `${text}\n`
}

/** A text as a cell, in quotes where it must be. */
export function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

async function* partRows(sink: CsvSink, part: TablePart, { columns }: DrawTable, before: number) {
  const { selection, first, step } = part
  const chain = selection.chain + 1
  let row = 0
  for await (const rows of tableRows(selection, windowBytes(columns))) {
    if (rows.kind === 'window') {
      const cells = cellsOf(columns, rows.segments, rows.count)
      for (let i = 0; i < rows.count; i++, row++) {
        sink.beginRow(chain, first + row * step, before + row + 1)
        yield* cellsOfRow(sink, cells, i)
        sink.endRow()
      }
      continue
    }
    sink.beginRow(chain, first + row * step, before + row + 1)
    for await (const { position, data } of rows.pieces) {
      const spec = columns[position]
      if (spec !== undefined) yield* cellsOfRow(sink, cellsOf([spec], [data], 1), 0)
    }
    sink.endRow()
    row++
  }
}

function* cellsOfRow(sink: CsvSink, cells: readonly Cells[], row: number): Generator<Bytes> {
  for (const some of cells) {
    const chunks = some.write(sink, row)
    if (chunks !== undefined) yield* chunks
    if (sink.hasFull) yield* sink.full()
  }
}
