/** Pages of a read: from chunks that the index knows, and from the records of the journal. */

import type { Block, Bytes } from '../../core/draws/segment.ts'
import { McbError } from '../../core/errors.ts'
import type { Question, ReadCursor, ReadPage } from '../../core/store.ts'
import type { Segment } from '../../journal/segment.ts'
import { unwritten } from '../../objects/warm.ts'
import { DamagedData } from '../sqlite/checksum.ts'
import { type PagePlan, pageOf, planPage, tailRange } from '../sqlite/read.ts'
import { offsetsIn, segmentAt } from '../sqlite/tail.ts'
import { type Ahead, addChunks, type ReadSources, remember } from './chunk-reads.ts'
import type { KnownHead, TailRecord } from './head.ts'
import { verifiedRecord } from './journal-reader.ts'

/** Bytes of records that are read together, and bytes between two of them. */
const TOGETHER_BYTES = 512 * 1024
const GAP_BYTES = 8 * 1024

/** One page of an answer; see `Store.read`. */
export async function readFolderPage(
  sources: ReadSources,
  head: KnownHead,
  question: Question,
  cursor: ReadCursor,
): Promise<ReadPage> {
  const { folded, schema } = head
  const plan = planPage(head, schema, question, cursor)
  if (plan.columns.length === 0) return { stretches: [] }
  const specs = plan.columns.map(({ wanted }) => wanted.spec)
  const range = tailRange(plan, folded)
  const records = range === undefined ? [] : head.recordsIn(range.from, range.to)
  // Held before anything is awaited: a fold would let the journal use their segments again.
  for (const { place } of records) place.segment.hold()
  try {
    const found: Block[][] = specs.map(() => [])
    const known = await addFolded(sources, head, plan, cursor, found)
    for await (const { record, draws } of drawsOf(head.id, records)) {
      const offsets = offsetsIn(draws, schema.columns.length)
      const { start, count } = record
      for (const [i, { index }] of specs.entries()) {
        found[i]?.push({ start, count, data: segmentAt(draws, offsets, index) })
      }
    }
    for (const blocks of found) blocks.sort((a, b) => a.start - b.start)
    const page = pageOf(plan, found)
    if (page.next !== undefined) remember(page.next, known)
    return page
  } finally {
    for (const { place } of records) place.segment.release()
  }
}

/** Adds what lies in chunks, or is kept of them. */
async function addFolded(
  sources: ReadSources,
  head: KnownHead,
  plan: PagePlan,
  cursor: ReadCursor,
  found: readonly Block[][],
): Promise<Ahead | undefined> {
  const last = lastDrawOf(plan, head.folded)
  if (last === undefined) return addChunks(sources, head, plan, cursor, found)
  const columns = plan.columns.map(({ wanted }) => wanted.spec.index)
  const kept = sources.lastDraws.find(head.id, last, columns)
  if (kept === undefined) {
    await addChunks(sources, head, plan, cursor, found)
    sources.lastDraws.keep(head.id, last, columns, found)
  }
  for (const [i, block] of kept?.entries() ?? []) found[i]?.push(block)
  return undefined
}

/** Iteration of the last draw in chunks, where a page asks for it alone. */
function lastDrawOf({ columns, slice }: PagePlan, folded: number): number | undefined {
  const isAlone = slice.count === 1 && slice.first === folded - 1
  return isAlone && columns.every(({ wanted }) => wanted.spec.kind === 'rigid-numbers') ? slice.first : undefined
}

interface Drawn {
  readonly record: TailRecord
  /** Packed as in tail.ts. */
  readonly draws: Bytes
}

/** The draws of records, which rise. Neighbours in a segment are read together, with what lies between them. */
async function* drawsOf(chain: number, records: readonly TailRecord[]): AsyncGenerator<Drawn> {
  for (let at = 0; at < records.length; ) {
    const first = records[at]
    if (first === undefined) return
    const own = [first, ...neighbours(records, at)]
    const last = own.at(-1) ?? first
    const from = first.place.at
    const bytes = await read(first.place.segment, from, last.place.at + last.place.bytes - from)
    for (const record of own) {
      const { start, count, place } = record
      const whole = bytes.subarray(place.at - from, place.at - from + place.bytes)
      const { draws, isIntact } = verifiedRecord(chain, { seed: place.segment.seed, start, count }, whole)
      if (!isIntact) throw new DamagedData(`the batch in the journal that begins at iteration ${start}`)
      yield { record, draws }
    }
    at += own.length
  }
}

/** Records behind one that are worth to be read with it. */
function neighbours(records: readonly TailRecord[], at: number): TailRecord[] {
  const first = records[at]
  const near: TailRecord[] = []
  for (let last = first, i = at + 1; first !== undefined && last !== undefined; i++) {
    const next = records[i]
    if (next === undefined || next.place.segment !== first.place.segment) break
    const gap = next.place.at - last.place.at - last.place.bytes
    if (gap > GAP_BYTES || next.place.at + next.place.bytes - first.place.at > TOGETHER_BYTES) break
    near.push(next)
    last = next
  }
  return near
}

async function read(segment: Segment, at: number, length: number): Promise<Bytes> {
  const memory = unwritten(length)
  try {
    return memory.subarray(0, await segment.reads.read(segment.file, at, memory))
  } catch (error) {
    const cause = error instanceof Error ? error : new Error(String(error))
    throw new McbError('storage_unavailable', 'the journal cannot be read now', { retryAfter: 5 }, { cause })
  }
}
