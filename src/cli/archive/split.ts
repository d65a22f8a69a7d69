/** A record of draws as two batches, for a server that takes no body as large as that. */
import type { Schema } from '../../core/draws/columns.ts'
import { sliceSegment } from '../../core/draws/segment.ts'
import { decodeAnswer } from '../../core/wire/read-answer.ts'
import { batchSegments, encodeSegments } from '../../core/wire/write-batch.ts'
import type { Extent } from './contents.ts'

interface Half extends Extent {
  readonly payload: Uint8Array<ArrayBuffer>
}

export function halves(payload: Uint8Array<ArrayBuffer>, { start, count }: Extent, schema: Schema): Half[] {
  const { draws } = decodeAnswer(payload, schema.columns)
  const values = { draws: new Map(), stats: new Map() }
  for (const [i, { group, name }] of schema.columns.entries()) values[group].set(name, draws[i])
  const columns = batchSegments({ start, count, ...values }, schema)
  const middle = Math.ceil(count / 2)
  return [
    { from: 0, to: middle },
    { from: middle, to: count },
  ].map(({ from, to }) => {
    const parts = columns.map(({ spec, data }) => ({ spec, data: sliceSegment(spec, data, count, from, to) }))
    return { start: start + from, count: to - from, payload: encodeSegments(start + from, to - from, parts) }
  })
}
