/**
 * Sweeping: bytes of objects that nothing names give their disk back.
 *
 * A put that was cut off before the index named it leaves bytes behind the end of the chain's newest object, or a file.
 * Nothing is touched where the index and the disk disagree in any other way: that is damage, and is told.
 */
import type { FileObjects } from '../../objects/file-objects.ts'
import type { StoredObject } from '../../objects/objects.ts'
import { numberIn, type Program, type SqlDriver } from '../../sql/program.ts'
import { type ChainRow, chainAsFound, chainsWithIds, isChainIntact } from '../sqlite/chain.ts'

/** Files that one look at the index is for. */
const FILES = 256

export interface SweepOptions {
  readonly driver: SqlDriver
  readonly objects: FileObjects
  /** Does some work while nothing is put for a chain. */
  readonly alone: (chain: number, work: () => Promise<void>) => Promise<void>
  readonly notice: (sentence: string) => void
  /** True when the sweep is to end. */
  readonly isOver: () => boolean
}

/** The part of a file that is to go: all that lies behind byte `keep`, or the file; or the damage that keeps it as it is. */
type Verdict = { readonly keep: number } | 'remove' | { readonly damaged: string } | undefined

interface Known {
  /** Ids above this one were never given. */
  readonly highest: number
  /** The chain of each id; null where its row is damaged. */
  readonly chains: ReadonlyMap<number, ChainRow | null>
}

export async function sweep(options: SweepOptions): Promise<void> {
  const swept = { files: 0, ends: 0, bytes: 0 }
  for await (const files of together(options.objects.list())) {
    if (options.isOver()) return
    const known = await options.driver.run(() => lookUp(files.map(({ key }) => ownerOf(key).chain)))
    for (const file of files) {
      const verdict = judge(file, known)
      if (verdict !== undefined) await options.alone(ownerOf(file.key).chain, () => settle(options, file.key, swept))
    }
  }
  if (swept.files + swept.ends === 0) return
  options.notice(
    `swept ${swept.files} objects and the ends of ${swept.ends} more, which nothing named: ${swept.bytes} bytes are free again`,
  )
}

/** Judges once more, now that nobody puts, and does or tells it. */
async function settle(
  { driver, objects, notice }: SweepOptions,
  key: string,
  swept: { files: number; ends: number; bytes: number },
): Promise<void> {
  const size = await objects.sizeOf(key)
  if (size === undefined) return
  const verdict = judge({ key, size }, await driver.run(() => lookUp([ownerOf(key).chain])))
  if (verdict === 'remove') {
    await objects.delete([key])
    swept.files++
    swept.bytes += size
  } else if (verdict !== undefined && 'keep' in verdict) {
    await objects.truncate(key, verdict.keep)
    swept.ends++
    swept.bytes += size - verdict.keep
  } else if (verdict !== undefined) notice(verdict.damaged)
}

function judge({ key, size }: StoredObject, { highest, chains }: Known): Verdict {
  const { chain: id, object } = ownerOf(key)
  const chain = chains.get(id)
  if (id > highest)
    return { damaged: `the object ${key} is of a chain whose id this index never gave: it is left as it is` }
  if (chain === undefined) return 'remove'
  if (chain === null)
    return { damaged: `the row of chain ${id} in the index is damaged: its objects are left as they are` }
  // A deletion is at work.
  if (chain.number < 0) return undefined
  if (object > chain.object) return 'remove'
  if (object < chain.object || size === chain.objectEnd) return undefined
  if (size > chain.objectEnd) return { keep: chain.objectEnd }
  return { damaged: `the object ${key} has ${size} bytes, and the index names ${chain.objectEnd}: draws are missing` }
}

function ownerOf(key: string): { readonly chain: number; readonly object: number } {
  const [chain = 0, object = 0] = key.split('.').map(Number)
  return { chain, object }
}

function* lookUp(ids: readonly number[]): Program<Known> {
  const [rows = [], sequence = []] = yield {
    reads: [chainsWithIds(ids), { sql: "SELECT seq FROM sqlite_sequence WHERE name = 'chains'", params: [] }],
  }
  const chains = new Map<number, ChainRow | null>()
  for (const row of rows) {
    const chain = chainAsFound(row)
    chains.set(chain.id, isChainIntact(row, chain) ? chain : null)
  }
  return { highest: sequence[0] === undefined ? 0 : numberIn(sequence[0], 'seq'), chains }
}

async function* together(files: AsyncIterable<StoredObject>): AsyncGenerator<StoredObject[]> {
  let some: StoredObject[] = []
  for await (const file of files) {
    some.push(file)
    if (some.length < FILES) continue
    yield some
    some = []
  }
  if (some.length > 0) yield some
}
