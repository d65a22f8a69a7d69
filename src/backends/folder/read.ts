/** Pages of a read: from chunks that the index knows, and from the records of the journal. */

import type { Block, Bytes } from '../../core/draws/segment.ts'
import { McbError } from '../../core/errors.ts'
import type { Question, ReadCursor, ReadPage } from '../../core/store.ts'
import type { Place } from '../../journal/segment.ts'
import type { Objects } from '../../objects/objects.ts'
import { DamagedData } from '../sqlite/checksum.ts'
import type { FarBlock } from '../sqlite/chunks.ts'
import { chunkSpans, pageOf, planPage, tailRange } from '../sqlite/read.ts'
import { offsetsIn, segmentAt } from '../sqlite/tail.ts'
import { unpackChunks } from './chunk-answer.ts'
import { nearBlock } from './far-block.ts'
import { objectKey } from './fold-chain.ts'
import type { Head, TailRecord } from './head.ts'
import type { FolderIndex } from './index-calls.ts'
import { verifiedRecord } from './journal-reader.ts'

export interface ReadSources {
  readonly index: FolderIndex
  readonly objects: Objects
}

/** One page of an answer; see `Store.read`. */
export async function readFolderPage(
  sources: ReadSources,
  head: Head,
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
    const spans = chunkSpans(plan, folded)
    if (spans.fixed.length > 0 || spans.varying.length > 0) {
      const columns = specs.map(({ index }) => index)
      await addChunks(sources, head, { columns, spans }, found)
    }
    for (const record of records) {
      const draws = await drawsOf(head.id, record)
      const offsets = offsetsIn(draws, schema.columns.length)
      const { start, count } = record
      for (const [i, { index }] of specs.entries()) {
        found[i]?.push({ start, count, data: segmentAt(draws, offsets, index) })
      }
    }
    for (const blocks of found) blocks.sort((a, b) => a.start - b.start)
    return pageOf(plan, found)
  } finally {
    for (const { place } of records) place.segment.release()
  }
}

async function addChunks(
  { index, objects }: ReadSources,
  { id, runId, key }: Head,
  asked: { readonly columns: readonly number[]; readonly spans: ReturnType<typeof chunkSpans> },
  found: readonly Block[][],
): Promise<void> {
  const { tenant, registration } = key
  const answer = unpackChunks(await index.chunks({ tenant, registration, runId, id, ...asked }))
  for (const { place, block } of answer.near) found[place]?.push(block)
  // All at once: the bytes of a page are bounded, and the disk takes several requests at a time.
  await Promise.all(
    answer.far.map(async ({ place, block }) => {
      found[place]?.push(
        await farBlock(objects, id, block, () => index.chain({ tenant, registration, runId }, key.chain)),
      )
    }),
  )
}

async function farBlock(
  objects: Objects,
  id: number,
  far: FarBlock,
  requireRun: () => Promise<unknown>,
): Promise<Block> {
  const name = objectKey(id, far.object)
  const bytes = await objects.get(name, far.at, far.length)
  // Objects go before the rows that name them.
  if (bytes === undefined || bytes.length < far.length) await requireRun()
  return nearBlock(name, far, bytes)
}

/** The draws of a record, packed as in tail.ts. */
async function drawsOf(chain: number, { start, count, place }: TailRecord): Promise<Bytes> {
  const { draws, isIntact } = verifiedRecord(chain, { seed: place.segment.seed, start, count }, await read(place))
  if (!isIntact) throw new DamagedData(`the batch in the journal that begins at iteration ${start}`)
  return draws
}

async function read({ segment, at, bytes }: Place): Promise<Bytes> {
  try {
    return await segment.reads.read(segment.file, at, bytes)
  } catch (error) {
    const cause = error instanceof Error ? error : new Error(String(error))
    throw new McbError('storage_unavailable', 'the journal cannot be read now', { retryAfter: 5 }, { cause })
  }
}
