/**
 * Folding where bytes lie apart from the index: plan, put, and name what was put.
 *
 * The plan reads the index. Chunks that have grown go to the chain's object, and are on the disk before the second
 * transaction names them; small ones stay in the index until they are joined. The next put overwrites what was never named: it
 * begins at the end of what is.
 */
import type { Schema } from '../../core/draws/columns.ts'
import type { Block } from '../../core/draws/segment.ts'
import { isMcbError } from '../../core/errors.ts'
import { free } from '../../core/free.ts'
import type { Objects } from '../../objects/objects.ts'
import { type Program, type SqlDriver, StaleRead, type Statement } from '../../sql/program.ts'
import { type ChainRow, chainOfId } from '../sqlite/chain.ts'
import { chainSum, withId } from '../sqlite/checksum.ts'
import { CHUNK_BYTES } from '../sqlite/chunks.ts'
import { type ChunkSizes, type Fold, GROWN_BYTES, type NewChunk, planFold, type Tail, tailOf } from '../sqlite/fold.ts'
import { minuteOf } from '../sqlite/run-list.ts'
import { touchRun } from '../sqlite/runs.ts'
import { fixedWeight } from '../stretches.ts'
import type { Folded } from './index-calls.ts'

/** Weight of a chunk in an object, in bytes, where its draws have one size: parts of it are read. */
const PLACED_BYTES = 16 * 1024 * 1024
/** Bytes of an object after which the next one is begun. */
const OBJECT_BYTES = 256 * 1024 * 1024

export interface ChainFold {
  readonly id: number
  /** Iterations that are folded before. */
  readonly folded: number
  readonly schema: Schema
  /** The tail; absent for the one that a version before has left in the index. */
  readonly tail?: Tail
  /** Blocks of a batch behind the tail. */
  readonly blocks: readonly Block[]
  /** Iterations that are folded then. */
  readonly end: number
  /** Milliseconds since 1970; 0 for draws that are not new. */
  readonly now: number
}

interface Planned {
  readonly chain: ChainRow
  readonly fold: Fold
}

/** The name of a chain's object. */
export function objectKey(chainId: number, object: number): string {
  return `${chainId}.${object}`
}

/** @throws McbError `run_not_found`, `storage_unavailable`; StaleRead when the chain has been folded meanwhile */
export async function foldChain(driver: SqlDriver, objects: Objects, work: ChainFold): Promise<Folded> {
  const planned = await driver.run(() => plan(work))
  const { chain, fold } = planned
  const grown = fold.chunks.filter(isGrown)
  const { object, at } = placeFor(chain, grown)
  let end = at
  for (const chunk of grown) {
    chunk.place = { object, at: end }
    end += chunk.data.length
  }
  if (grown.length > 0)
    await objects.put(
      objectKey(chain.id, object),
      at,
      grown.map(({ data }) => data),
    )
  const size = fold.chunks.reduce((n, { data, place }) => n + (place === undefined ? (data?.length ?? 0) : 0), 0)
  const objectEnd = grown.length > 0 ? { object, end } : { object: chain.object, end: chain.objectEnd }
  try {
    await driver.run(() => commit(work, planned, objectEnd), size)
  } catch (error) {
    // The run went meanwhile, and with it perhaps the object, which the put has begun anew.
    if (isMcbError(error, 'run_not_found')) await objects.delete([objectKey(chain.id, object)])
    throw error
  }
  for (const bytes of fold.scratch) free(bytes)
  return { folded: work.end, bytes: Math.max(0, chain.bytes - chain.tailBytes + fold.bytes) }
}

function* plan({ id, folded, schema, tail, blocks }: ChainFold): Program<Planned> {
  const chain = yield* chainOfId(id)
  if (chain.folded !== folded) throw new StaleRead('the chain was folded meanwhile')
  const own = tail ?? (yield* tailOf(chain, schema.columns.length))
  return { chain, fold: yield* planFold(chain, schema, own, blocks, SIZES) }
}

const SIZES: ChunkSizes = {
  // Draws that vary in size are read chunk by chunk, so that theirs stay small.
  most: (spec) => (fixedWeight(spec) > 0 ? PLACED_BYTES : CHUNK_BYTES),
  row: Number.POSITIVE_INFINITY,
}

type Grown = NewChunk & { readonly data: NonNullable<NewChunk['data']> }

function isGrown(chunk: NewChunk): chunk is Grown {
  return chunk.data !== null && chunk.data.length >= GROWN_BYTES && !chunk.damaged
}

/** The object that takes some chunks, and the byte at which they begin. */
function placeFor({ object, objectEnd }: ChainRow, chunks: readonly Grown[]): { object: number; at: number } {
  if (object === 0) return { object: 1, at: 0 }
  const size = chunks.reduce((n, { data }) => n + data.length, 0)
  return objectEnd > 0 && objectEnd + size > OBJECT_BYTES ? { object: object + 1, at: 0 } : { object, at: objectEnd }
}

function* commit(
  { id, folded, end, now }: ChainFold,
  { chain, fold }: Planned,
  named: { readonly object: number; readonly end: number },
): Program<void> {
  const present = yield* chainOfId(id)
  if (present.folded !== folded) throw new StaleRead('the chain was folded meanwhile')
  const { object, end: objectEnd } = named
  const length = Math.max(present.length, end)
  const sum = withId(chainSum({ ...present, length, folded: end, tailRows: 0, object, objectEnd }), id)
  const update: Statement = {
    sql:
      'UPDATE chains SET length = ?, folded = ?, tail_rows = 0, bytes = max(0, bytes - tail_bytes + ?), tail_bytes = 0, ' +
      'updated_at = max(updated_at, ?), object = ?, object_end = ?, sum = ? WHERE id = ?',
    params: [length, end, fold.bytes, now, object, objectEnd, sum, id],
  }
  const writes = [...fold.statements(), update]
  if (now > 0 && minuteOf(now) !== minuteOf(chain.updatedAt)) writes.push(touchRun(chain.runId, now))
  yield { writes }
}
