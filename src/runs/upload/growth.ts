/** Growth of the run that an upload has become: rows of which all chunks are there go to its chains, each exactly once. */
import type { ColumnSpec } from '../../core/draws/columns.ts'
import { sizeOf } from '../../core/draws/ndarray.ts'
import type { Bytes } from '../../core/draws/segment.ts'
import { Queues } from '../../core/queues.ts'
import type { ChainState, Store } from '../../core/store.ts'
import type { Elements } from '../../core/upload/chunk.ts'
import { chunkOfKey } from '../../core/upload/grid.ts'
import { type Node, PARTS, type PartName } from '../../core/upload/layout.ts'
import { isFillRow, isWitness } from '../../core/upload/rows.ts'
import type { Extra, Rows, UploadDraws } from './draws-of-upload.ts'
import { DOUBT_MARK, markOf } from './objects.ts'
import { isGone, type StagedChunks } from './staged-chunks.ts'

/** The part and the column that an array has the draws of. */
export interface Place {
  readonly node: Node
  readonly part: PartName
  readonly spec: ColumnSpec
}

export interface SentChunk {
  readonly path: string
  readonly node: Node
  readonly chunk: readonly number[]
  readonly bytes: Bytes
  /** Undefined for one that is nothing but fill. */
  readonly elements: Elements | undefined
}

export interface GrowthParts {
  readonly store: Store
  readonly rid: string
  readonly draws: UploadDraws
  readonly chunks: StagedChunks
  /** Lengths of the chains by their numbers. */
  readonly lengths: Map<number, number>
  /** Blocks that were seen with nothing but fill at the end of floats, and may be written again. */
  readonly doubts: Set<string>
  /** Draws of each chain that are warmup. */
  readonly warmupOf: (states: readonly ChainState[]) => Promise<readonly number[]>
  /** Learns which chunks and draws others have stored; absent where there are none. @throws Outdated where the writer has ended */
  readonly refresh?: (growth: Growth) => Promise<void>
}

export class Growth {
  readonly parts: GrowthParts
  readonly draws: UploadDraws
  /** Warmup of each chain by its place, once the writer has ended; before, all that was declared. */
  warmups: readonly number[] | undefined
  isDone = false
  private readonly queues = new Queues()
  private readonly places = new Map<string, Place>()

  constructor(parts: GrowthParts) {
    this.parts = parts
    this.draws = parts.draws
    for (const { spec, column } of parts.draws.columns) {
      for (const part of PARTS) {
        const node = column[part]
        if (node !== undefined) this.places.set(node.path, { node, part, spec })
      }
    }
  }

  /** The part and the column of an array; undefined for one that has no draws of the run. */
  placeOf({ path }: Node): Place | undefined {
    return this.places.get(path)
  }

  /** Length of a chain, by its place. */
  lengthOf(chain: number): number {
    return this.parts.lengths.get(this.draws.numbers[chain] ?? 0) ?? 0
  }

  /** Iterations of a chain that are warmup, as far as it is known. */
  warmupOf(chain: number): number {
    return this.warmups?.[chain] ?? this.draws.layout.rows.warmup
  }

  /** The next row of a chain. */
  next(chain: number): { readonly part: PartName; readonly row: number } {
    const length = this.lengthOf(chain)
    const warmup = this.warmupOf(chain)
    return length < warmup ? { part: 'warmup', row: length } : { part: 'posterior', row: length - warmup }
  }

  /** Rows of a part of a chain that are in the run. */
  rowsDone(part: PartName, chain: number): number {
    const length = this.lengthOf(chain)
    const warmup = this.warmupOf(chain)
    return part === 'warmup' ? Math.min(length, warmup) : Math.max(0, length - warmup)
  }

  /** Takes a chunk of draws that are not all stored. Resolves when it is durable, be it as draws. */
  async put({ part }: Place, { path, node, chunk, bytes, elements }: SentChunk): Promise<void> {
    const { chunks, refresh } = this.parts
    const [across = 1, length = 1] = node.array.chunkShape
    const first = (chunk[1] ?? 0) * length
    const chain = (chunk[0] ?? 0) * across
    let isStored = false
    if (elements !== undefined && across === 1) {
      await this.noteDoubt(part, node, chain, first, elements)
      const { part: now, row } = this.next(chain)
      if (now === part && this.draws.available(part, chain, row, path) > 0) {
        await this.advance(chain, { path, elements })
        isStored = this.rowsDone(part, chain) >= Math.min(first + length, this.draws.layout.rows[part])
      }
    }
    if (!isStored) await chunks.stage(path, bytes, elements)
    try {
      // The later one of two isolates that store at once sees what the earlier one has stored, and goes on with it.
      do await refresh?.(this)
      while ((await this.advanceAll(chain, across)) && refresh !== undefined)
    } catch (error) {
      if (!isStored && isGone(error)) await chunks.drop([path])
      throw error
    }
  }

  /** True where any of some chains has grown. */
  private async advanceAll(chain: number, count: number): Promise<boolean> {
    let hasGrown = false
    for (let i = chain; i < Math.min(chain + count, this.draws.numbers.length); i++) {
      const before = this.lengthOf(i)
      const { part, row } = this.next(i)
      if (this.draws.available(part, i, row) > 0) await this.advance(i)
      if (this.lengthOf(i) > before) hasGrown = true
    }
    return hasGrown
  }

  /** Marks rows of floats that a writer may send again, since they end with nothing but fill. */
  private async noteDoubt(
    part: PartName,
    { array }: Node,
    chain: number,
    first: number,
    elements: Elements,
  ): Promise<void> {
    if (!isWitness(array)) return
    const rows = Math.min(array.chunkShape[1] ?? 1, (array.shape[1] ?? 0) - first)
    if (!isFillRow(array, elements, rows - 1, sizeOf(array.chunkShape.slice(2)))) return
    const { doubts } = this.parts
    const key = doubtKey(part, chain, first)
    if (doubts.has(key)) return
    await this.mark(DOUBT_MARK + key)
    doubts.add(key)
  }

  /** Notes something about the upload, durably. */
  mark(name: string): Promise<void> {
    const { rid, store } = this.parts
    return store.stage(rid, markOf(this.draws.run.registration, name), new Uint8Array())
  }

  unmark(names: readonly string[]): Promise<void> {
    const { rid, store } = this.parts
    return store.unstage(
      rid,
      names.map((name) => markOf(this.draws.run.registration, name)),
    )
  }

  /** Elements of a chunk as they are stored; fill where there is nothing yet. */
  storedChunk(node: Node, { part, spec }: Place, chunk: readonly number[]): Promise<Elements> {
    return this.draws.stored(node, spec, chunk, (chain) => ({
      start: part === 'warmup' ? 0 : this.warmupOf(chain),
      rows: this.rowsDone(part, chain),
    }))
  }

  /** Appends the rows of a chain of which all chunks are there. */
  private advance(chain: number, extra?: Extra): Promise<void> {
    const { draws } = this
    return this.queues.run(String(chain), async () => {
      for (;;) {
        const { part, row } = this.next(chain)
        const available = draws.available(part, chain, row, extra?.path)
        const count = Math.min(this.certain(part, chain, row, available), draws.batchRows())
        if (count === 0) return
        const rows = { part, chain, first: row, count }
        const elements = await draws.read(rows, extra)
        const sure = this.sureRows(rows, elements)
        if (sure === 0) return
        const cut = (column: Elements) => column.slice(0, (column.length / count) * sure)
        await this.append({ ...rows, count: sure }, sure === count ? elements : elements.map(cut))
        if (sure < count) return
      }
    })
  }

  /** Rows of whole blocks that no doubt lies on. */
  private certain(part: PartName, chain: number, row: number, available: number): number {
    if (this.parts.doubts.size === 0) return available
    const block = this.draws.blockRows(part)
    for (let at = row - (row % block); at < row + available; at += block) {
      const isDoubted = this.parts.doubts.has(doubtKey(part, chain, at))
      if (isDoubted && !this.isFollowed(part, chain, at + block)) return Math.max(0, at - row)
    }
    return available
  }

  /** Rows up to a block whose last row may be written again. */
  private sureRows({ part, chain, first, count }: Rows, elements: readonly Elements[]): number {
    const block = this.draws.blockRows(part)
    for (let begin = first - (first % block); begin < first + count; begin += block) {
      const end = Math.min(begin + block, this.draws.layout.rows[part])
      if (end > first + count) return count
      const isDoubtful = this.draws.isDoubtful(part, elements, end - first - 1)
      if (isDoubtful && !this.isFollowed(part, chain, end)) return Math.max(0, begin - first)
    }
    return count
  }

  /** True where two blocks that follow are there: their writer is done with what is before. */
  private isFollowed(part: PartName, chain: number, row: number): boolean {
    const { draws } = this
    if (row < draws.layout.rows[part]) return draws.available(part, chain, row) >= 2 * draws.blockRows(part)
    return part === 'warmup' && draws.available('posterior', chain, 0) >= 2 * draws.blockRows('posterior')
  }

  async append(rows: Rows, elements: readonly Elements[]): Promise<void> {
    const number = this.draws.numbers[rows.chain] ?? 0
    const start = this.lengthOf(rows.chain)
    const length = await this.draws.append(rows, start, elements)
    // Another isolate may be ahead.
    this.parts.lengths.set(number, Math.max(start + rows.count, length))
    await this.drop(rows.part, rows.chain, rows.first, rows.first + rows.count)
  }

  private async drop(part: PartName, chain: number, from: number, end: number): Promise<void> {
    const isDone = (other: number, rows: number) => this.rowsDone(part, other) >= rows
    const spent = this.draws.spent(part, chain, from, Math.min(end, this.rowsDone(part, chain)), isDone)
    await this.parts.chunks.drop(spent)
  }

  /** Drops what a server that ended between an append and this has left. */
  async dropSpent(): Promise<void> {
    const { chunks } = this.parts
    await chunks.drop([...chunks.sizes.keys()].filter((path) => this.isSpent(path)))
    await chunks.flush()
  }

  /** True for a chunk of draws whose rows are in the run, and for any of them where all that was written is. */
  private isSpent(path: string): boolean {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const place = this.places.get(path.slice(0, at))
      if (place === undefined) continue
      if (this.isDone) return true
      const { array } = place.node
      const chunk = chunkOfKey(array, path.slice(at + 1))
      if (chunk === undefined) return false
      const [k = 0, block = 0] = chunk
      const [across = 1, length = 1] = array.chunkShape
      const end = Math.min((block + 1) * length, this.draws.layout.rows[place.part])
      const chains = Array.from({ length: across }, (_, i) => k * across + i)
      return chains.every((chain) => chain >= this.draws.numbers.length || this.rowsDone(place.part, chain) >= end)
    }
    return false
  }

  /** Learns from the stored draws which are warmup. */
  async learnWarmups(): Promise<void> {
    const states = await this.draws.run.chainStates()
    const warmups = await this.parts.warmupOf(states)
    const byNumber = new Map(states.map(({ chain }, i) => [chain, warmups[i] ?? 0]))
    this.warmups = this.draws.numbers.map((number) => byNumber.get(number) ?? 0)
  }
}

function doubtKey(part: PartName, chain: number, row: number): string {
  return `${part}/${chain}/${row}`
}
