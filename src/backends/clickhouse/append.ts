/** Appending exactly once: the table of docs/protocol.md §3 on a database without transactions. */
import { newBlocks, overlapOf } from '../../core/draws/append-rule.ts'
import type { Schema } from '../../core/draws/columns.ts'
import type { Block } from '../../core/draws/segment.ts'
import { McbError } from '../../core/errors.ts'
import type { Limits } from '../../core/limits.ts'
import type { ChainState, ReadCursor, ReadPage } from '../../core/store.ts'
import { warmupFlag, warmupIn } from '../../core/warmup.ts'
import type { Batch } from '../../core/wire/read-batch.ts'
import { repeatedIn, requireSamePage } from '../repeated.ts'
import { type Append, chainSince, discard, type RunKey, requireChain, stateAfter } from './chains.ts'
import { ChunkWriter } from './chunk.ts'
import type { Attempted, Commits } from './commit.ts'
import { type Connection, unavailable } from './connection.ts'
import { readPage } from './read.ts'

/** Attempts at one batch: each that fails has seen another writer succeed. */
const ATTEMPTS = 100

interface ChainTarget {
  readonly connection: Connection
  readonly run: RunKey
  readonly chain: number
  readonly commits: Commits
}

export interface Target extends ChainTarget {
  /** Told of draws that this batch has added. */
  readonly added: (draws: number) => void
  readonly schema: Schema
  readonly limits: Limits
}

/** Appends to a chain that was last seen as `known`, and returns how it is now. */
export async function appendBatch(target: Target, batch: Batch, known: ChainState | undefined): Promise<ChainState> {
  const { connection, run, chain } = target
  // A batch that is not simply the next one is judged by the chain as it is now.
  let state = known?.length === batch.start ? known : await requireChain(connection, run, chain)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { from, to, hasNew } = overlapOf(batch, state.length)
    if (from < to) await requireEqual(target, batch, to, state)
    if (!hasNew) return state
    const next = await attemptAppend(target, batch, state)
    if (next.won) {
      target.added(batch.start + batch.count - state.length)
      return next.state
    }
    state = next.state
  }
  throw new McbError('storage_unavailable', 'too many writers append to this chain', { retryAfter: 1 })
}

/** A chain that nobody has seen: an append of one iteration at -1, so that a chain without draws ends at 0. */
export async function createChain(target: ChainTarget): Promise<{ state: ChainState; created: boolean }> {
  const attempt = newAttempt()
  const writer = new ChunkWriter({ ...target.run, chain: target.chain, head: -1, attempt, written: Date.now() })
  writer.append(1)
  const holds = await commit(target, { head: -1, attempt, ...writer.finish() })
  const state = stateAfter(target.chain, holds)
  if (holds.attempt === attempt) return { state, created: true }
  return { state: await chainSince(target.connection, target.run, state), created: false }
}

/** Commits the new iterations of a batch behind a chain as it was last seen. */
async function attemptAppend(
  target: Target,
  batch: Batch,
  seen: ChainState,
): Promise<{ readonly won: boolean; readonly state: ChainState }> {
  const attempt = newAttempt()
  const written = Math.max(Date.now(), seen.updatedAt + 1)
  const blocks = newBlocks(target.schema, batch, seen.length)
  const rows = rowsOf(target, batch, { blocks, head: seen.length, attempt, written })
  const holds = await commit(target, { head: seen.length, attempt, ...rows })
  if (holds.attempt === attempt) return { won: true, state: stateAfter(target.chain, holds) }
  return { won: false, state: await chainSince(target.connection, target.run, seen) }
}

/** The append that holds at the place of an attempt. @throws McbError `run_not_found` */
async function commit({ connection, run, chain, commits }: ChainTarget, attempted: Made): Promise<Append> {
  const { holds, live, failure } = await commits.commit({ run, chain, ...attempted })
  if (!live) {
    await discard(connection, run, attempted.attempt)
    throw new McbError('run_not_found', 'the run was deleted')
  }
  // Nothing is there: it may still arrive, and then it is as if it were sent now.
  if (holds === undefined) throw failure ?? unavailable(new Error('an insert is not seen'))
  return holds
}

type Made = Omit<Attempted, 'run' | 'chain'>

interface NewRows {
  readonly blocks: readonly Block[]
  readonly head: number
  readonly attempt: bigint
  readonly written: number
}

/** The rows of an attempt to append the new iterations of a batch. */
function rowsOf({ run, chain, schema }: Target, batch: Batch, { blocks, head, attempt, written }: NewRows) {
  const writer = new ChunkWriter({ ...run, chain, head, attempt, written })
  const flips = warmupFlips(schema, blocks)
  writer.append(batch.start + batch.count - head)
  for (const spec of schema.columns) {
    const block = blocks[spec.index]
    if (block !== undefined) writer.column(spec, block, flips)
  }
  return writer.finish()
}

/**
 * Iterations at which warmup begins and ends within the blocks of an append, the first of them begins it: as if all draws before
 * were warmup. The view finds the prefix of a chain among what its appends say (migrations/clickhouse/0005_warmup.sql), so that
 * none of them needs to look at the others.
 */
function warmupFlips(schema: Schema, blocks: readonly Block[]): readonly number[] {
  const flag = warmupFlag(schema)
  const block = flag && blocks[flag.index]
  if (block?.data == null) return []
  const warm = warmupIn(block.data)
  if (warm === 0) return []
  return warm < block.count ? [block.start, block.start + warm] : [block.start]
}

export function newAttempt(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n
}

/** Compares a batch with the iterations of it that are stored already. */
async function requireEqual(
  target: Target,
  batch: Batch,
  to: number,
  { length, updatedAt }: ChainState,
): Promise<void> {
  const { connection, run, schema, chain, limits } = target
  const question = repeatedIn(schema, batch, to)
  let cursor: ReadCursor | undefined = { moment: { chain, length, updatedAt }, position: 0, done: 0 }
  while (cursor !== undefined) {
    const page: ReadPage = await readPage({ connection, run, schema, chain, limits }, question, cursor)
    requireSamePage(schema, batch, page, cursor)
    cursor = page.next
  }
}
