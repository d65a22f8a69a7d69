/** Reads of a store, each draw of which is compared with what its tag says it is. */
import type { ColumnSpec } from '../../../src/core/draws/columns.ts'
import { equalSegments } from '../../../src/core/draws/segment.ts'
import { resolveSlice, type Slice } from '../../../src/core/draws/slice.ts'
import type { Read, ReadCursor, Store } from '../../../src/core/store.ts'
import { segmentOf, tagsIn } from './content.ts'
import { type ChainModel, type RunModel, Violation } from './model.ts'

/** Reads some columns of a chain, the tag among them, and tells the model what was there. Resolves to the chain's length. */
export async function readAndCompare(
  store: Store,
  run: RunModel,
  number: number,
  slice: Slice,
  columns: readonly number[],
): Promise<number> {
  const chain = run.chainOf(number)
  const least = chain.length
  const question = { columns: [0, ...columns], slice }
  let cursor: ReadCursor | undefined
  let origins: number[] = []
  let length = 0
  const counts = question.columns.map(() => 0)
  do {
    const read: Read = await store.read(run.registration ?? '', number, question, cursor)
    if (cursor === undefined) {
      length = read.state.length
      chain.tell(length, least)
    }
    for (const { position, count, data } of read.page.stretches) {
      const spec = run.schema.columns[question.columns[position] ?? 0]
      if (spec === undefined) throw new Violation(`${chain.name}: a stretch of no column`)
      const { first, step } = resolveSlice(slice, length)
      const done = counts[position] ?? 0
      const at = first + done * Number(step)
      if (position === 0) origins = [...origins, ...originsIn(chain, data, at, Number(step))]
      const own = origins.slice(done, done + count)
      requireSame(chain, spec, { count, data, own, at, step: Number(step) })
      counts[position] = done + count
    }
    cursor = read.page.next
  } while (cursor !== undefined)
  const { count } = resolveSlice(slice, length)
  if (counts.some((got) => got !== count))
    throw new Violation(`${chain.name}: ${counts} of ${count} draws were answered`)
  if (isAll(slice)) chain.lookedAt(length)
  return length
}

function isAll({ start, stop, step }: Slice): boolean {
  return start === undefined && stop === undefined && step === undefined
}

function originsIn(chain: ChainModel, data: Uint8Array<ArrayBuffer> | null, first: number, step: number): number[] {
  if (data === null) throw new Violation(`${chain.name}: draws without a tag`)
  return tagsIn(data).map(([origin, iteration], i) => {
    if (iteration !== first + i * step) {
      throw new Violation(`${chain.name}: draw ${iteration} (batch ${origin}) is in the place of ${first + i * step}`)
    }
    chain.see(iteration, origin)
    return origin
  })
}

interface Compared {
  readonly count: number
  readonly data: Uint8Array<ArrayBuffer> | null
  readonly own: readonly number[]
  readonly at: number
  readonly step: number
}

function requireSame(chain: ChainModel, spec: ColumnSpec, { count, data, own, at, step }: Compared): void {
  const expected = segmentOf(spec, at, own, step)
  const isSame = own.length === count && equalSegments(spec, count, data, expected)
  if (!isSame) throw new Violation(`${chain.name}: "${spec.name}" has other bits in the draws from ${at} on (${count})`)
}
