/**
 * Jobs that fill stocks with figures, block by block. Those who ask take turns: a block of one, then a block of the next, whatever
 * each has waiting. The next block is read while one is computed.
 */

import { deferred } from '../deferred.ts'
import type { Figure } from '../diagnostics/figures.ts'
import type { RigidNumbers } from '../draws/columns.ts'
import { McbError } from '../errors.ts'
import type { Bench, BlockWork } from './bench.ts'
import type { ColumnPiece, DrawSource, ElementRange } from './source.ts'
import type { Stock, Stretch } from './stock.ts'

export interface WorkshopOptions {
  /** Bytes of a block, as doubles; one scalar may have more. Each block of a wide variable reads all of its rows. */
  readonly blockBytes?: number
  /** Rests behind some milliseconds of reading so many bytes of draws, for as long as others need the storage. */
  readonly rest?: (milliseconds: number, bytes: number) => Promise<void>
  /** Blocks that are read or computed at a time. */
  readonly blocks?: number
  /** `stop` gives up a job when the last one who waited for it has left; the figures of its blocks stay. `go on` by default. */
  readonly unattended?: 'go on' | 'stop'
  /** Resolves when there is room for a block, to a function that gives it back. */
  readonly admit?: () => Promise<() => void>
}

const BLOCK_BYTES = 64 * 1024 * 1024
/** Elements that one read of a store may name. */
const BLOCK_ELEMENTS = 10_000
const BLOCKS = 2
/** Jobs of one owner that wait or are at work. */
const JOBS = 32

/** Some figures of some elements, for a stock. */
export interface Order {
  /** Those who share turns: a tenant. */
  readonly owner: object
  readonly source: DrawSource
  readonly stock: Stock
  readonly stretches: readonly Stretch[]
  readonly figures: readonly Figure[]
  /** Draws that diverged, for the figures that ask for them. */
  readonly divergent?: Uint8Array | undefined
  /** Order of the blocks: the greatest urgency first. That of registration when absent. */
  readonly urgency?: (stretch: Stretch) => number
}

/**
 * Stretches that are read and computed together: of one column, in rising order, since reading a wide value costs the same for few elements as
 * for one, or several whole columns.
 */
export type Block = readonly [Stretch, ...Stretch[]]

export class Job {
  readonly order: Order
  readonly total: number
  /** Settles when all figures are known, or one cannot be. */
  readonly ended: Promise<void>
  readonly blocks: Block[]
  done: number
  atWork = 0
  /** Those who wait for the figures. */
  waiting = 0
  isGivenUp = false
  private readonly ending = deferred<void>()

  /** @param done elements whose figures are known already */
  constructor(order: Order, blocks: Block[], done: number) {
    this.order = order
    this.blocks = blocks
    this.done = done
    this.total = done + sizeOf(blocks.flat())
    this.ended = this.ending.promise
    this.ended.catch(() => {})
  }

  /** Share of the elements that are done. */
  get progress(): number {
    return this.total === 0 ? 1 : this.done / this.total
  }

  settle(): void {
    if (this.blocks.length === 0 && this.atWork === 0) this.ending.resolve()
  }

  giveUp(): void {
    this.isGivenUp = true
    this.blocks.length = 0
    this.settle()
  }

  fail(error: unknown): void {
    this.blocks.length = 0
    this.ending.reject(error)
  }
}

function sizeOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((n, { from, to }) => n + to - from, 0)
}

/** Figures that an element of the block lacks. */
function lacksIn(stock: Stock, block: Block, figures: readonly Figure[]): Figure[] {
  return figures.filter((figure) => block.some((stretch) => stock.missing(stretch, [figure]).length > 0))
}

export class Workshop {
  private readonly bench: Bench
  private readonly blockBytes: number
  private readonly blocks: number
  private readonly rest: (milliseconds: number, bytes: number) => Promise<void>
  private readonly unattended: 'go on' | 'stop'
  private readonly admit: () => Promise<() => void>
  /** Jobs that have blocks left, by owner, the next one first. */
  private readonly waiting = new Map<object, Job[]>()
  private atWork = 0

  constructor(bench: Bench, options: WorkshopOptions = {}) {
    const { blockBytes = BLOCK_BYTES, rest = async () => {}, blocks = BLOCKS, unattended = 'go on' } = options
    this.bench = bench
    this.blockBytes = blockBytes
    this.blocks = blocks
    this.rest = rest
    this.unattended = unattended
    this.admit = options.admit ?? (async () => () => {})
  }

  /** @throws McbError `overloaded` */
  start(order: Order): Job {
    const { owner, stretches, stock, figures, urgency } = order
    const lacking = stretches.filter((stretch) => stock.missing(stretch, figures).length > 0)
    const all = this.cut(lacking, order)
    const blocks = all.filter((block) => lacksIn(stock, block, figures).length > 0)
    if (urgency !== undefined) {
      const urgencies = new Map(
        blocks.map((block) => [block, block.reduce((most, each) => Math.max(most, urgency(each)), 0)]),
      )
      blocks.sort((a, b) => (urgencies.get(b) ?? 0) - (urgencies.get(a) ?? 0))
    }
    const job = new Job(order, blocks, sizeOf(stretches) - sizeOf(blocks.flat()))
    const jobs = (this.waiting.get(owner) ?? []).filter((each) => each.blocks.length > 0)
    if (jobs.length >= JOBS) {
      const detail = `${JOBS} summaries are being computed for this tenant; send the request again`
      throw new McbError('overloaded', detail, { limit: JOBS, retryAfter: 5 })
    }
    if (blocks.length > 0) this.waiting.set(owner, [...jobs, job])
    else job.settle()
    this.goOn()
    return job
  }

  /** Tells that nobody waits for a job any more. */
  leave(job: Job): void {
    if (this.unattended === 'stop') job.giveUp()
  }

  /**
   * Blocks of as many elements as are read at once. Neighbours share a block while there is room in it: those of one column, and whole
   * columns where several are read together.
   */
  private cut(stretches: readonly Stretch[], { stock, source }: Order): Block[] {
    const { chains, draws } = stock.moment
    const scalar = Math.max(1, chains.length * draws * Float64Array.BYTES_PER_ELEMENT)
    const each = Math.min(BLOCK_ELEMENTS, Math.max(1, Math.floor(this.blockBytes / scalar)))
    const blocks: [Stretch, ...Stretch[]][] = []
    let room = 0
    for (const whole of stretches) {
      const { spec, from, to } = whole
      const last = blocks.at(-1)
      const isOfLast = last?.[0].spec === spec
      const joins =
        source.readColumns !== undefined && to - from <= room && last !== undefined && areTogether(last, whole)
      if (!isOfLast && !joins) room = 0
      for (let begin = from; begin < to; ) {
        const isFull = room === 0
        if (isFull) room = each
        const end = Math.min(to, begin + room)
        const stretch = { spec, from: begin, to: end }
        if (isFull) blocks.push([stretch])
        else blocks.at(-1)?.push(stretch)
        room -= end - begin
        begin = end
      }
    }
    return blocks
  }

  private goOn(): void {
    while (this.atWork < this.blocks) {
      const next = this.next()
      if (next === undefined) return
      const { job, block } = next
      this.atWork++
      job.atWork++
      void this.work(job, block).finally(() => {
        this.atWork--
        job.atWork--
        job.settle()
        this.goOn()
      })
    }
  }

  /** The next block of the owner whose turn it is, who then waits behind the others; so does the job among the owner's. */
  private next(): { job: Job; block: Block } | undefined {
    for (const [owner, jobs] of this.waiting) {
      this.waiting.delete(owner)
      const job = jobs.shift()
      const block = job?.blocks.shift()
      if (job !== undefined && job.blocks.length > 0) jobs.push(job)
      if (jobs.length > 0) this.waiting.set(owner, jobs)
      if (job !== undefined && block !== undefined) return { job, block }
    }
    return undefined
  }

  private async work(job: Job, block: Block): Promise<void> {
    try {
      await this.compute(job.order, block)
      job.done += sizeOf(block)
    } catch (error) {
      job.fail(error)
    }
  }

  private async compute({ source, stock, divergent, ...order }: Order, block: Block): Promise<void> {
    const isLacking = () => lacksIn(stock, block, order.figures).length > 0
    if (!isLacking()) return
    const leave = await this.admit()
    try {
      // Another one may have computed it meanwhile.
      if (!isLacking()) return
      const filled = await this.fill(source, stock, block)
      const figures = lacksIn(stock, block, order.figures)
      const table = await filled.figures({ convention: stock.convention, figures, divergent })
      let row = 0
      for (const stretch of block) {
        const begin = row
        row += stretch.to - stretch.from
        stock.place(stretch, new Map([...table].map(([figure, column]) => [figure, column.slice(begin, row)])))
      }
    } finally {
      leave()
    }
  }

  /** Reads the draws of a block. */
  private async fill(source: DrawSource, { moment }: Stock, block: Block): Promise<BlockWork> {
    const { chains, draws } = moment
    const work = this.bench.begin({ elements: sizeOf(block), chains: chains.length, draws })
    const columns = columnsIn(block)
    try {
      for (const [position, { chain, first }] of chains.entries()) {
        const done = columns.map(() => 0)
        let since = performance.now()
        for await (const piece of draw(source, chain, columns, { first, count: draws })) {
          const column = columns[piece.position]
          if (column === undefined) continue
          const { spec, from, elements } = column
          const before = done[piece.position] ?? 0
          const read = piece.data.length / elements / spec.itemSize
          work.put({ chain: position, first: before, from, elements }, piece.data, spec.dtype)
          done[piece.position] = before + read
          // Rows are read whole, whatever is wanted of them.
          await this.rest(performance.now() - since, read * spec.stride)
          since = performance.now()
        }
        if (done.some((count) => count < draws)) {
          throw new McbError('run_not_found', 'the run was deleted while its summary was computed')
        }
      }
      return work
    } catch (error) {
      work.drop()
      throw error
    }
  }
}

/** Columns that one block has at most: while it is computed, the next one is read. */
const COLUMNS = 64

/** True where a stretch and those of a block are whole columns, which one question reads. */
function areTogether(block: Block, stretch: Stretch): boolean {
  return block.length < COLUMNS && isWhole(stretch) && block.every(isWhole)
}

function isWhole({ spec, from, to }: Stretch): boolean {
  return from === 0 && to === spec.elements
}

/** Elements of one column in a block. */
interface BlockColumn {
  readonly spec: RigidNumbers
  readonly ranges: readonly ElementRange[]
  /** The first of its elements in the block, and how many they are. */
  readonly from: number
  readonly elements: number
}

function columnsIn(block: Block): BlockColumn[] {
  const columns: BlockColumn[] = []
  let from = 0
  for (const spec of new Set(block.map((stretch) => stretch.spec))) {
    const stretches = block.filter((stretch) => stretch.spec === spec)
    const elements = sizeOf(stretches)
    columns.push({ spec, ranges: stretches.map((stretch) => [stretch.from, stretch.to]), from, elements })
    from += elements
  }
  return columns
}

async function* draw(
  source: DrawSource,
  chain: number,
  columns: readonly BlockColumn[],
  draws: { readonly first: number; readonly count: number },
): AsyncGenerator<ColumnPiece> {
  if (columns.length > 1 && source.readColumns !== undefined) {
    yield* source.readColumns(chain, { specs: columns.map(({ spec }) => spec), ...draws })
    return
  }
  for (const [position, { spec, ranges }] of columns.entries()) {
    for await (const data of source.read(chain, { spec, elements: ranges, ...draws })) yield { position, data }
  }
}
