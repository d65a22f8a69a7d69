/** Draws of a run in pages of some MiB, all chains in turns, some of them ahead of the reader. */

import type { HttpBackendOptions } from '../../client/options.ts'
import { Transport } from '../../client/transport.ts'
import type { Schema } from '../../core/draws/columns.ts'
import { isMcbError, McbError } from '../../core/errors.ts'
import { PROTOBUF } from '../../core/media-types.ts'
import { batchOf } from './batch.ts'
import { overNodeHttp } from './node-http.ts'
import { WideStats } from './wide.ts'

/** Bytes that a page aims at, and has at most where it holds more than one draw. */
export const PAGE_BYTES = 4 * 1024 * 1024
const MOST_BYTES = 2 * PAGE_BYTES
/** Draws of a page: of few bytes each, or of none. */
const PAGE_DRAWS = 200_000
/** Draws of the first page of a chain whose draws vary in size, and the factor by which a page may grow. */
const FIRST_DRAWS = 16
const GROWTH = 8
/** Pages that are asked for at a time. */
const AHEAD = 3

export interface Page {
  readonly chain: number
  readonly start: number
  readonly count: number
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Some draws of a chain: those from `start` to `end`. */
export interface Span {
  readonly chain: number
  readonly start: number
  readonly end: number
}

/** A span that is being read. */
interface Part {
  readonly chain: number
  readonly end: number
  /** Index of the first draw that was not asked for. */
  next: number
  /** Draws of the next page. */
  each: number
}

export interface PagesOf {
  readonly options: HttpBackendOptions
  readonly rid: string
  readonly registration: string
  readonly schema: Schema
}

/** Pages of some spans, a page of each in turns. @throws McbError, `run_replaced` among them */
export async function* readPages(of: PagesOf, spans: readonly Span[]): AsyncGenerator<Page> {
  const ended = new AbortController()
  const reader = new PageReader({ ...of, options: { ...of.options, signal: ended.signal } })
  try {
    yield* reader.read(spans)
  } finally {
    ended.abort()
  }
}

class PageReader {
  private readonly of: PagesOf
  /** Draws of each page; undefined where they vary in size. */
  private readonly each: number | undefined
  /** Stats that are read alone, a draw at a time. */
  private readonly wide: WideStats
  private readonly whole: Transport
  private readonly capped: Transport

  constructor(of: PagesOf) {
    this.of = of
    this.wide = new WideStats(of.schema)
    this.each = this.wide.areAny ? 1 : drawsOfPage(of.schema)
    this.whole = new Transport(of.options, overNodeHttp())
    this.capped = new Transport(of.options, overNodeHttp(MOST_BYTES))
  }

  async *read(spans: readonly Span[]): AsyncGenerator<Page> {
    const each = this.each ?? FIRST_DRAWS
    const waiting: Part[] = spans
      .filter(({ start, end }) => start < end)
      .map(({ chain, start, end }) => ({ chain, end, next: start, each }))
    const asked: { readonly part: Part; readonly page: Promise<Page> }[] = []
    const ask = () => {
      while (asked.length < AHEAD) {
        const part = waiting.shift()
        if (part === undefined) return
        const page = this.page(part)
        // Told when its turn comes.
        page.catch(() => undefined)
        asked.push({ part, page })
        if (this.each === undefined) continue
        part.next += part.each
        if (part.next < part.end) waiting.push(part)
      }
    }
    ask()
    for (let first = asked.shift(); first !== undefined; first = asked.shift()) {
      const page = await first.page
      if (this.each === undefined && advance(first.part, page)) waiting.push(first.part)
      ask()
      yield page
    }
  }

  /** The next draws of a part: as many as one page takes. */
  private async page({ chain, next, end, each }: Part): Promise<Page> {
    for (let count = Math.min(each, end - next); ; count = Math.max(1, Math.floor(count / GROWTH))) {
      try {
        return await this.fetch(chain, next, count)
      } catch (error) {
        if (!isMcbError(error, 'payload_too_large') || count === 1) throw error
      }
    }
  }

  private async fetch(chain: number, start: number, count: number): Promise<Page> {
    if (this.wide.areAny) {
      const read = (names: string) => this.batch(this.whole, { chain, start, count }, names)
      return { chain, start, count, bytes: await this.wide.draw(start, read) }
    }
    const transport = this.each === undefined && count > 1 ? this.capped : this.whole
    return { chain, start, count, bytes: await this.batch(transport, { chain, start, count }) }
  }

  /** Draws of some columns, or of all, as a batch that can be appended. */
  private batch(
    transport: Transport,
    { chain, start, count }: Omit<Page, 'bytes'>,
    names = '',
  ): Promise<Page['bytes']> {
    const { rid, registration } = this.of
    const request = {
      method: 'GET',
      path: `/v1/runs/${rid}/chains/${chain}/draws?start=${start}&stop=${start + count}${names && `&${names}`}`,
      headers: { 'Mcb-Registration': registration },
      type: PROTOBUF,
    } as const
    return transport.send(request, (answer) => {
      const batch = batchOf(answer.bytes)
      if (batch.start === start && batch.count === count) return batch.bytes
      // Asked for again, as damage is: a cache has kept the answer to another question.
      const got = `${batch.count} draws from ${batch.start} on`
      throw new McbError('invalid_protobuf', `the answer has ${got} and not ${count} from ${start} on`)
    })
  }
}

/** Moves a part behind a page, whose size tells the number of draws of the next one. False at its end. */
function advance(part: Part, { start, count, bytes }: Page): boolean {
  part.next = start + count
  const most = Math.min(count * GROWTH, PAGE_DRAWS, Math.floor((PAGE_BYTES * count) / Math.max(1, bytes.length)))
  part.each = Math.max(1, most)
  return part.next < part.end
}

function drawsOfPage({ columns }: Schema): number | undefined {
  let stride = 0
  for (const spec of columns) {
    if (spec.kind !== 'rigid-numbers') return undefined
    stride += spec.stride
  }
  return Math.max(1, Math.min(PAGE_DRAWS, Math.floor(PAGE_BYTES / Math.max(1, stride))))
}
