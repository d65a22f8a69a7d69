/** The rows that the store makes of a batch, for those who insert them past it. */
import { writeAppend, writeColumn } from '../../src/backends/clickhouse/chunk.ts'
import { RowWriter } from '../../src/backends/clickhouse/row-binary.ts'
import { newBlocks } from '../../src/core/append.ts'
import { decodeBatch } from '../../src/core/batch.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import type { Schema } from '../../src/core/schema.ts'
import type { Bytes } from '../../src/core/segment.ts'

/** The settings of an insert of one block. */
export const ONE_BLOCK = { async_insert: 0, max_insert_block_size: 10_000_000, max_insert_threads: 1 }

export interface Place {
  readonly tenant: string
  readonly rid: string
  readonly registration: string
  readonly chain: number
}

/** Adds the rows of the first batch of a chain, from the body that carries it. */
export function writeBatch(writer: RowWriter, place: Place, schema: Schema, body: Bytes): void {
  const batch = decodeBatch(body, schema, DEFAULT_LIMITS)
  const attempt = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n
  const head = { ...place, head: 0, attempt, written: Date.now() }
  writeAppend(writer, head, batch.count)
  for (const [i, block] of newBlocks(schema, batch, 0).entries()) {
    const spec = schema.columns[i]
    if (spec !== undefined) writeColumn(writer, head, spec, block, [])
  }
}

export function rowsOf(place: Place, schema: Schema, body: Bytes): readonly Bytes[] {
  const writer = new RowWriter()
  writeBatch(writer, place, schema, body)
  return writer.finish()
}
