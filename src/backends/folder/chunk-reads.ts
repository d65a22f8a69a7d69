/** Draws of a page that lie in chunks: the index tells where, and gives those that it holds itself. */
import type { ColumnSpec } from '../../core/draws/columns.ts'
import type { Block } from '../../core/draws/segment.ts'
import { rangeOf } from '../../core/draws/slice.ts'
import { giveAway } from '../../core/free.ts'
import type { ReadCursor } from '../../core/store.ts'
import type { Objects } from '../../objects/objects.ts'
import { readParts } from '../../objects/parts.ts'
import { DamagedData } from '../sqlite/checksum.ts'
import type { FarBlock, Span } from '../sqlite/chunks.ts'
import { blocksIn, partsOf } from '../sqlite/far.ts'
import { type ChunkSpans, chunkSpans, type PagePlan } from '../sqlite/read.ts'
import { fixedWeight } from '../stretches.ts'
import { type Unpacked, unpackChunks } from './chunk-answer.ts'
import { covering, joinNear, touching } from './far-block.ts'
import { objectKey } from './fold-chain.ts'
import type { Head } from './head.ts'
import type { FolderIndex } from './index-calls.ts'
import type { LastDraws } from './last-draws.ts'

/** Weight of the draws whose places are asked for at once, in bytes. */
const AHEAD_BYTES = 32 * 1024 * 1024
/** Bytes that the index gives itself, at most, of draws that lie in objects: ends of what a span takes of its chunks. */
const ENDS_BYTES = 64 * 1024

export interface ReadSources {
  readonly index: FolderIndex
  readonly objects: Objects
  readonly lastDraws: LastDraws
}

/** Places of a column's draws around a page, for those behind it: each question to the index goes to another thread. */
export interface Ahead {
  readonly column: number
  readonly blocks: readonly FarBlock[]
  /** True when the draws lay in objects. Those that the index holds come along with its answer: none are asked for ahead. */
  readonly isFar: boolean
}

/** By the cursor with which the next page begins. */
const aheadOf = new WeakMap<ReadCursor, Ahead>()

/** Keeps what is known of the page that begins with a cursor. */
export function remember(cursor: ReadCursor, ahead: Ahead | undefined): void {
  if (ahead !== undefined) aheadOf.set(cursor, ahead)
}

/** Adds the draws of a page that lie in chunks to those of their columns; gives what it learns of the pages behind. */
export async function addChunks(
  sources: ReadSources,
  head: Head,
  plan: PagePlan,
  cursor: ReadCursor,
  found: readonly Block[][],
): Promise<Ahead | undefined> {
  const spans = chunkSpans(plan, head.folded)
  const [only] = spans.fixed
  if (only !== undefined && spans.fixed.length === 1 && spans.varying.length === 0) {
    const before = aheadOf.get(cursor)
    const own = before?.column === only.column ? before : undefined
    const { blocks, known } = await readOnly(sources, head, plan, only, own)
    found[only.place]?.push(...blocks)
    return known
  }
  if (only === undefined && spans.varying.length === 0) return undefined
  const { near, far } = await ask(sources, head, plan, spans)
  for (const { place, block } of near) found[place]?.push(block)
  const byPlace = [...Map.groupBy(far, ({ place }) => place)]
  // All at once: the bytes of a page are bounded, and the disk takes several requests at a time.
  await Promise.all(
    byPlace.map(async ([place, placed]) => {
      const blocks = placed.map(({ block }) => block)
      found[place]?.push(...(await readFar(sources, head, plan.columns[place]?.wanted.spec, blocks)))
    }),
  )
  return undefined
}

/** The blocks of one column alone, which is the page of a long one. */
async function readOnly(
  sources: ReadSources,
  head: Head,
  plan: PagePlan,
  only: Span,
  known: Ahead | undefined,
): Promise<{ readonly blocks: readonly Block[]; readonly known: Ahead }> {
  const spec = plan.columns[only.place]?.wanted.spec
  const covered = known && covering(known.blocks, only)
  // Known places may be of a moment before a fold, and their object gone: then the index is asked.
  const read = covered && (await readFar(sources, head, spec, covered).catch(unlessDamaged))
  if (known !== undefined && read !== undefined) return { blocks: read, known }
  const span = known?.isFar === true ? widened(plan, only, head.folded) : only
  const { near, far } = await ask(sources, head, plan, { fixed: [span], varying: [], most: 1 })
  const places = far.map(({ block }) => block)
  const given = near.map(({ block }) => block)
  const isFar = given.reduce((n, { data }) => n + (data?.length ?? 0), 0) <= ENDS_BYTES
  // A page holds no more than its own, however much has come.
  const own = given.filter(({ start, count }) => start < only.to && start + count > only.from)
  const blocks = [...own, ...(await readFar(sources, head, spec, touching(places, only)))]
  return { blocks, known: { column: only.column, blocks: places, isFar } }
}

function unlessDamaged(error: unknown): undefined {
  if (!(error instanceof DamagedData)) throw error
}

/** A span and what of its column is left behind it, up to some MiB. */
function widened({ columns }: PagePlan, span: Span, folded: number): Span {
  const wanted = columns[span.place]?.wanted
  if (wanted?.spec.kind !== 'rigid-numbers' || wanted.spec.stride === 0) return span
  const rest = rangeOf(wanted.slice)
  const more = Math.ceil(AHEAD_BYTES / fixedWeight(wanted.spec))
  if (wanted.slice.step < 0n) {
    const from = Math.max(rest.from, span.to - more)
    return from < span.low ? { ...span, from, low: from } : span
  }
  const to = Math.min(rest.to, folded, span.from + more)
  return to > span.high ? { ...span, to, high: to } : span
}

async function ask({ index }: ReadSources, head: Head, plan: PagePlan, spans: ChunkSpans): Promise<Unpacked> {
  const { id, runId, key } = head
  const { tenant, registration } = key
  const columns = plan.columns.map(({ wanted }) => wanted.spec.index)
  return unpackChunks(await index.chunks({ tenant, registration, runId, id, columns, spans }))
}

/** Reads blocks of one column, which rise, into memory that is given to the reader. */
async function readFar(
  { index, objects }: ReadSources,
  head: Head,
  spec: ColumnSpec | undefined,
  blocks: readonly FarBlock[],
): Promise<Block[]> {
  if (blocks.length === 0) return []
  const wanted = partsOf(blocks, (object) => objectKey(head.id, object))
  const read = await readParts(objects, wanted)
  if (read.states.some((state) => state === 'missing' || state === 'short')) {
    // Objects go before the rows that name them.
    const { tenant, registration, chain } = head.key
    await index.chain({ tenant, registration, runId: head.runId }, chain)
  }
  const found = blocksIn(blocks, wanted, read)
  // Segments of other columns are more than the bytes of their draws.
  const joined = spec?.kind === 'rigid-numbers' ? joinNear(found) : found
  if (joined.length === 1) giveAway(read.memory)
  return joined
}
