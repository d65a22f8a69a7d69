/** A summary as Arrow's stream format, with the columns of its CSV. */

import type { Bytes } from '../draws/segment.ts'
import {
  ARROW_END,
  type ArrowValues,
  arrowBatch,
  arrowSchema,
  arrowType,
  bitsOf,
  textValues,
} from '../formats/tables/arrow-stream.ts'
import { concatBytes } from '../wire/protobuf.ts'
import type { Summary, SummaryRow } from './summary.ts'

/** The whole stream; a figure that is not there is null. */
export function summaryArrow({ columns, rows }: Summary): Bytes {
  const text = arrowType('str')
  const names = ['variable', 'index', 'label'].map((name) => [name, text] as const)
  const figures = columns.map((name) => [name, arrowType('float64')] as const)
  const values = [
    textValues(rows.map(({ variable }) => variable)),
    textValues(rows.map(({ index }) => index.join())),
    textValues(rows.map(({ label }) => label)),
    ...columns.map((_, i) => figuresOf(rows, i)),
  ]
  return concatBytes([arrowSchema([...names, ...figures]), arrowBatch(values, rows.length), ARROW_END])
}

function figuresOf(rows: readonly SummaryRow[], column: number): ArrowValues {
  const isThere = (row: number) => typeof rows[row]?.figures[column] === 'number'
  const values = Float64Array.from(rows, (_, row) => (isThere(row) ? Number(rows[row]?.figures[column]) : 0))
  const missing = rows.filter((_, row) => !isThere(row)).length
  return {
    type: arrowType('float64'),
    values: new Uint8Array(values.buffer),
    ...(missing > 0 && { validity: { bits: bitsOf(rows.length, isThere), missing } }),
  }
}
