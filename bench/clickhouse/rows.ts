/** The rows that the store makes of a batch, for those who insert them past it. */

import { ChunkWriter } from '../../src/backends/clickhouse/chunk.ts'
import type { Settings } from '../../src/backends/clickhouse/connection.ts'
import { newBlocks } from '../../src/core/draws/append-rule.ts'
import type { Schema } from '../../src/core/draws/columns.ts'
import type { Bytes } from '../../src/core/draws/segment.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { decodeBatch } from '../../src/core/wire/read-batch.ts'

/** The settings of an insert of one block, which the engine stores even if it has had the same rows before. */
export function oneBlock(): Settings {
  const insert_deduplication_token = crypto.randomUUID()
  return { async_insert: 0, max_insert_block_size: 10_000_000, max_insert_threads: 1, insert_deduplication_token }
}

export interface Place {
  readonly tenant: string
  readonly rid: string
  readonly registration: string
  readonly chain: number
}

/** The rows of the first batch of a chain, from the body that carries it. */
export function rowsOf(place: Place, schema: Schema, body: Bytes): readonly Bytes[] {
  const batch = decodeBatch(body, schema, DEFAULT_LIMITS)
  const attempt = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n
  const writer = new ChunkWriter({ ...place, head: 0, attempt, written: Date.now() })
  writer.append(batch.count)
  for (const [i, block] of newBlocks(schema, batch, 0).entries()) {
    const spec = schema.columns[i]
    if (spec !== undefined) writer.column(spec, block, [])
  }
  return writer.finish().rows
}

/** The row that says that a chain was created. */
export function creationOf(place: Place): readonly Bytes[] {
  const writer = new ChunkWriter({ ...place, head: -1, attempt: 1n, written: Date.now() })
  writer.append(1)
  return writer.finish().rows
}
