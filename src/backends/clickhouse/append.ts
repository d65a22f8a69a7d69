/** Appending exactly once: the table in section 3 of the contract on a database without transactions. */
import { newBlocks, overlapOf, requireSame } from '../../core/append.ts'
import type { Batch } from '../../core/batch.ts'
import { McbError } from '../../core/errors.ts'
import type { Limits } from '../../core/limits.ts'
import type { Schema } from '../../core/schema.ts'
import type { Block } from '../../core/segment.ts'
import type { ChainState, ScanCursor } from '../../core/store.ts'
import { appendsFrom, discard, type RunKey, requireChain } from './chains.ts'
import { type Attempt, INSERT_CHUNKS, writeAppend, writeColumn } from './chunk.ts'
import { type Connection, type Settings, unavailable } from './connection.ts'
import { RowWriter } from './row-binary.ts'
import { scanPage } from './scan.ts'
import { warmupFlips } from './warmup.ts'

/** Inserts of fewer bytes are gathered by the server with those of others, and waited for. */
const SMALL_BYTES = 256 * 1024
/** Milliseconds that the server waits for others: at most this many small inserts become parts in a second. */
const GATHER_MS = 20
/** Attempts at one batch: each that fails has seen another writer succeed. */
const ATTEMPTS = 100

export interface Target {
  readonly connection: Connection
  readonly run: RunKey
  readonly schema: Schema
  readonly chain: number
  readonly limits: Limits
  /** Whether small inserts may be gathered; see `ClickHouseOptions`. */
  readonly gather: 'gather' | 'each'
}

/** Appends to a chain that was last seen as `known`, and returns how it is now. */
export async function appendBatch(target: Target, batch: Batch, known: ChainState | undefined): Promise<ChainState> {
  const { connection, run, chain } = target
  // What is not simply the next batch is judged by how the chain is now.
  let state = known?.length === batch.start ? known : await requireChain(connection, run, chain)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { from, to, hasNew } = overlapOf(batch, state.length)
    if (from < to) await requireEqual(target, batch, to, state.length)
    if (!hasNew) return state
    const next = await attemptAppend(target, batch, state)
    if (next.won) return next.state
    state = next.state
  }
  throw new McbError('storage_unavailable', 'too many writers append to this chain', { retryAfter: 1 })
}

/** One insert, and a look at what the server made of it. */
async function attemptAppend(
  target: Target,
  batch: Batch,
  { length, updatedAt }: ChainState,
): Promise<{ readonly won: boolean; readonly state: ChainState }> {
  const { connection, run, chain, schema } = target
  const blocks = newBlocks(schema, batch, length)
  const head = { ...run, chain, head: length, attempt: newAttempt(), written: Math.max(Date.now(), updatedAt + 1) }
  const count = batch.start + batch.count - length
  const failure = await insertBlocks(target, head, count, blocks)
  // Whether it failed or not, what the server has is what counts.
  const { appends, live } = await appendsFrom(connection, run, chain, length).catch((error: unknown) => {
    throw failure ?? error
  })
  if (!live) {
    await discard(connection, run, head.attempt)
    throw new McbError('run_not_found', 'the run was deleted')
  }
  const [first] = appends
  const last = appends.at(-1)
  // Nothing is there: it may still arrive, and then it is as if it were sent now.
  if (first?.start !== length || last === undefined) throw failure ?? unavailable(new Error('an insert is not seen'))
  const state = { chain, length: last.start + last.count, updatedAt: last.written }
  if (first.attempt !== head.attempt) return { won: false, state }
  return { won: true, state: { chain, length: length + count, updatedAt: first.written } }
}

/** Resolves to what went wrong. */
async function insertBlocks(
  { connection, schema, gather }: Target,
  head: Attempt,
  count: number,
  blocks: readonly Block[],
): Promise<Error | undefined> {
  const writer = new RowWriter()
  writeAppend(writer, head, count)
  const flips = warmupFlips(schema, blocks)
  for (const spec of schema.columns) {
    const block = blocks[spec.index]
    if (block !== undefined) writeColumn(writer, head, spec, block, flips)
  }
  const rows = writer.finish()
  const small = writer.size < SMALL_BYTES && gather === 'gather'
  const token = `${head.registration}/${head.chain}/${head.head}`
  try {
    await connection.insert(INSERT_CHUNKS, rows, small ? GATHERED : { ...AT_ONCE, insert_deduplication_token: token })
    return undefined
  } catch (error) {
    return unavailable(error)
  }
}

const GATHERED: Settings = {
  async_insert: 1,
  wait_for_async_insert: 1,
  async_insert_use_adaptive_busy_timeout: 0,
  async_insert_busy_timeout_max_ms: GATHER_MS,
}

/** One block whatever its size: blocks appear one by one. */
const AT_ONCE: Settings = { async_insert: 0, max_insert_block_size: 10_000_000, max_insert_threads: 1 }

export function newAttempt(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n
}

/** Compares what a batch says of iterations that are stored already. */
async function requireEqual(target: Target, batch: Batch, to: number, length: number): Promise<void> {
  const { connection, run, schema, chain, limits } = target
  const columns = schema.columns.map((_, index) => index)
  let cursor: ScanCursor | undefined
  do {
    const request = { columns, from: batch.start, to, ...(cursor && { cursor }) }
    const page = await scanPage({ connection, run, schema, chain, limits }, request)
    for (const { position, blocks } of page.parts) {
      const spec = schema.columns[position]
      if (spec !== undefined) for (const block of blocks) requireSame(spec, batch, block, length)
    }
    cursor = page.next
  } while (cursor !== undefined)
}
