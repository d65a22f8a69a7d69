/** Appending exactly once: the table of docs/protocol.md §3, and where the new draws go. */
import { newBlocks, overlapOf } from '../../core/draws/append-rule.ts'
import type { Schema } from '../../core/draws/columns.ts'
import type { Block } from '../../core/draws/segment.ts'
import { free } from '../../core/free.ts'
import type { ReadCursor, ReadPage } from '../../core/store.ts'
import { ROW_BYTES } from '../../core/usage.ts'
import type { Batch } from '../../core/wire/read-batch.ts'
import type { Program, Statement } from '../../sql/program.ts'
import { repeatedIn, requireSamePage } from '../repeated.ts'
import { type ChainRow, requireChain, TAIL_SLOTS } from './chain.ts'
import { chainSum, tailSum, withId } from './checksum.ts'
import { planFold, tailOf } from './fold.ts'
import { readPage } from './read.ts'
import { minuteOf } from './run-list.ts'
import { touchRun } from './runs.ts'
import { packTail } from './tail.ts'

/** A tail is folded before it exceeds one of these. */
const TAIL_ROWS = 1024
export const TAIL_BYTES = 1024 * 1024
/** Draws of a tail: there might be any number of them without bytes. */
const TAIL_DRAWS = 1024 * 1024
/** A batch of this many bytes goes straight to chunks. */
const STRAIGHT_BYTES = 256 * 1024

export interface Appended {
  /** The chain's new length. */
  readonly length: number
  /** Draws that were not there before. */
  readonly added: number
}

/** A batch on its way to a chain. */
export interface Append {
  readonly runId: number
  readonly number: number
  readonly schema: Schema
  readonly decode: () => Batch
  /** Milliseconds since 1970. */
  readonly now: number
  /** Iterations before this one that it repeats were compared with what is stored, which never changes. */
  readonly compared: number
  /** Bytes of a tail at most. */
  readonly tailBytes: number
}

/** Appends a batch. @throws FarDraws where iterations that it repeats must be compared, and lie in objects */
export function* appendBatch(append: Append): Program<Appended> {
  const { runId, number, schema, decode, now, compared } = append
  const chain = yield* requireChain(runId, number)
  const batch = decode()
  const { from, to, hasNew } = overlapOf(batch, chain.length)
  if (from < to && to > compared) yield* requireEqual(chain, schema, batch, to)
  if (!hasNew) return { length: chain.length, added: 0 }
  const end = batch.start + batch.count
  const { statements, scratch } = yield* placeBlocks(append, chain, newBlocks(schema, batch, chain.length), end)
  // Once a minute: its row is in an index, and most appends write nothing but the chain's.
  if (minuteOf(now) !== minuteOf(chain.updatedAt)) statements.push(touchRun(runId, now))
  yield { guard: unchanged(chain), writes: statements }
  for (const bytes of scratch) free(bytes)
  return { length: end, added: end - chain.length }
}

/** Compares a batch with the iterations of it that are stored already. */
function* requireEqual(chain: ChainRow, schema: Schema, batch: Batch, to: number): Program<void> {
  const question = repeatedIn(schema, batch, to)
  const moment = { chain: 0, length: chain.length, updatedAt: chain.updatedAt }
  let cursor: ReadCursor | undefined = { moment, position: 0, done: 0 }
  while (cursor !== undefined) {
    const page: ReadPage = yield* readPage(chain, schema, question, cursor)
    requireSamePage(schema, batch, page, cursor)
    cursor = page.next
  }
}

/** Folds the tail of a chain that nobody appends to. */
export function* foldTail(runId: number, number: number, schema: Schema): Program<void> {
  const chain = yield* requireChain(runId, number)
  if (chain.tailRows === 0) return
  const tail = yield* tailOf(chain, schema.columns.length)
  const { statements, bytes, scratch } = yield* planFold(chain, schema, tail, [])
  const { length, updatedAt } = chain
  const update = updateChain(chain, { length, folded: length, tailRows: 0, tailBytes: 0, bytes }, updatedAt)
  yield { guard: unchanged(chain), writes: [...statements(), update] }
  for (const bytes of scratch) free(bytes)
}

interface Placed {
  readonly statements: Statement[]
  /** Memory that is free when the statements have been carried out. */
  readonly scratch: readonly Uint8Array[]
}

function* placeBlocks(
  { schema, now, tailBytes }: Append,
  chain: ChainRow,
  blocks: readonly Block[],
  end: number,
): Program<Placed> {
  const size = blocks.reduce((n, b) => n + (b.data?.length ?? 0), 0)
  const isFull = chain.tailRows >= TAIL_ROWS || chain.tailBytes + size > tailBytes || end - chain.folded > TAIL_DRAWS
  if (size >= STRAIGHT_BYTES || isFull) {
    const tail = yield* tailOf(chain, schema.columns.length)
    const { statements, bytes, scratch } = yield* planFold(chain, schema, tail, blocks)
    const update = updateChain(chain, { length: end, folded: end, tailRows: 0, tailBytes: 0, bytes }, now)
    return { statements: [...statements(), update], scratch }
  }
  const data = packTail(
    blocks.map((b) => b.data),
    size,
  )
  const start = chain.length
  const count = end - start
  const statements = [
    {
      sql: 'INSERT INTO tail (id, start, count, data, sum) VALUES (?, ?, ?, ?, ?)',
      params: [chain.id * TAIL_SLOTS + chain.tailRows, start, count, data, tailSum(start, count, data)],
    },
    updateChain(
      chain,
      {
        length: end,
        folded: chain.folded,
        tailRows: chain.tailRows + 1,
        tailBytes: chain.tailBytes + data.length,
        bytes: ROW_BYTES + data.length,
      },
      now,
    ),
  ]
  return { statements, scratch: [data] }
}

interface ChainChange {
  readonly length: number
  readonly folded: number
  readonly tailRows: number
  readonly tailBytes: number
  /** Growth of the chain's rows, in bytes; negative when they shrink. */
  readonly bytes: number
}

function updateChain(chain: ChainRow, to: ChainChange, now: number): Statement {
  const { length, folded, tailRows } = to
  const sum = withId(chainSum({ ...chain, length, folded, tailRows }), chain.id)
  return {
    sql:
      'UPDATE chains SET length = ?, folded = ?, tail_rows = ?, tail_bytes = ?, bytes = max(0, bytes + ?), ' +
      'updated_at = max(updated_at, ?), sum = ? WHERE id = ?',
    params: [length, folded, tailRows, to.tailBytes, to.bytes, now, sum, chain.id],
  }
}

/** Inserts nothing while the chain is as it was read, and violates a NOT NULL constraint otherwise. */
function unchanged(chain: ChainRow): Statement {
  return {
    sql:
      'INSERT INTO chains (id) SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM chains ' +
      'WHERE id = ? AND length = ? AND folded = ? AND tail_rows = ? AND number >= 0)',
    params: [chain.id, chain.length, chain.folded, chain.tailRows],
  }
}
