/** Reads of one chain: slices in pages, so that the memory it takes is the result's and one page's. */

import type { ColumnSpec } from '../core/draws/columns.ts'
import { bytesOf } from '../core/draws/dtype.ts'
import { type NdArray, numericArray } from '../core/draws/ndarray.ts'
import { type ResolvedSlice, resolveSlice, type Slice } from '../core/draws/slice.ts'
import { drawAt, drawsOf, isDrawList } from '../core/draws/values.ts'
import { McbError } from '../core/errors.ts'
import type { Draws } from '../core/interfaces.ts'
import { type DecodedAnswer, decodeAnswer } from '../core/wire/read-answer.ts'
import { readChain } from './json.ts'
import { JSON_TYPE, PROTOBUF, type Transport } from './transport.ts'

/** Bytes that a page aims at. */
const PAGE_BYTES = 16 * 1024 * 1024
/** Draws of the first page where their size is not known; the sizes that come tell how many the next one has. */
const FIRST_DRAWS = 256
/** Characters of names in one query; servers refuse addresses beyond 8 to 16 KiB. */
const QUERY_CHARACTERS = 4096

interface Page extends DecodedAnswer {
  /** Of the whole answer. */
  readonly bytes: number
}

export class ChainReader {
  private readonly transport: Transport
  private readonly path: string
  private readonly headers: Readonly<Record<string, string>>

  /** @param path of the chain */
  constructor(transport: Transport, path: string, headers: Readonly<Record<string, string>>) {
    this.transport = transport
    this.path = path
    this.headers = headers
  }

  async length(): Promise<number> {
    const { path, headers } = this
    const { length } = await this.transport.send({ method: 'GET', path, headers, type: JSON_TYPE }, readChain)
    return length
  }

  async column(spec: ColumnSpec, slice: Slice): Promise<Draws> {
    resolveSlice(slice, 0)
    const most = countBound(slice)
    if (spec.kind === 'rigid-numbers' && most !== undefined && most * spec.stride <= PAGE_BYTES) {
      return firstOf(await this.fetch([spec], slice))
    }
    const resolved = resolveSlice(slice, await this.length())
    if (resolved.count === 0) return drawsOf(spec, [])
    return spec.kind === 'rigid-numbers' ? this.fixedPages(spec, resolved) : this.varyingPages(spec, resolved)
  }

  /** Values of one iteration, by name. */
  async iteration(index: number, columns: readonly ColumnSpec[]): Promise<Map<string, NdArray>> {
    const values = new Map<string, NdArray>()
    let at = index
    if (columns.length === 0) requireIteration(index, resolveSlice(sliceAt(index), await this.length()).count)
    for (const group of byQueryLength(columns)) {
      const { draws, start, count } = await this.fetch(group, sliceAt(at))
      requireIteration(index, count)
      // What is left comes from the same iteration, also when the chain grows meanwhile.
      at = start
      for (const [position, spec] of group.entries()) {
        const column = draws[position]
        if (column !== undefined) values.set(spec.name, drawAt(spec, column, 0))
      }
    }
    return values
  }

  private async fixedPages(spec: ColumnSpec & { kind: 'rigid-numbers' }, slice: ResolvedSlice): Promise<Draws> {
    const each = Math.max(1, Math.floor(PAGE_BYTES / Math.max(1, spec.stride)))
    if (slice.count <= each) return firstOf(await this.page(spec, slice, 0, slice.count))
    const whole = allocate(slice.count * spec.stride)
    for (let done = 0; done < slice.count; done += each) {
      const page = firstOf(await this.page(spec, slice, done, Math.min(each, slice.count - done)))
      if (!isDrawList(page) && page.dtype !== 'str') whole.set(bytesOf(page.data), done * spec.stride)
    }
    return numericArray(spec.dtype, [slice.count, ...spec.shape], whole)
  }

  private async varyingPages(spec: ColumnSpec, slice: ResolvedSlice): Promise<Draws> {
    const pages: Draws[] = []
    let each = FIRST_DRAWS
    for (let done = 0; done < slice.count; ) {
      const count = Math.min(each, slice.count - done)
      try {
        const page = await this.page(spec, slice, done, count)
        pages.push(firstOf(page))
        done += count
        each = Math.max(1, Math.min(each * 16, Math.floor((PAGE_BYTES * count) / Math.max(1, page.bytes))))
      } catch (error) {
        if (!(error instanceof McbError && error.code === 'payload_too_large') || count === 1) throw error
        each = Math.max(1, Math.floor(count / 16))
      }
    }
    return joinPages(spec, pages)
  }

  /** The draws `from … from + count` of a slice, by their absolute indices. */
  private page(spec: ColumnSpec, slice: ResolvedSlice, from: number, count: number): Promise<Page> {
    const step = slice.count === 1 ? 1 : Number(slice.step)
    const start = slice.first + from * step
    const stop = start + count * step
    return this.fetch([spec], { start, stop: stop < 0 ? undefined : stop, step }, count)
  }

  /** Some columns of a slice; when their count is known, an answer that has another one was damaged. */
  private fetch(columns: readonly ColumnSpec[], slice: Slice, count?: number): Promise<Page> {
    const query = [...columns.map(nameQuery), ...sliceQuery(slice)].join('&')
    const request = {
      method: 'GET',
      path: `${this.path}/draws?${query}`,
      headers: this.headers,
      type: PROTOBUF,
    } as const
    return this.transport.send(request, ({ bytes }) => {
      const answer = decodeAnswer(bytes, columns)
      if (count !== undefined && answer.count !== count) throw damaged(`${answer.count} draws instead of ${count}`)
      return { ...answer, bytes: bytes.length }
    })
  }
}

/** @throws McbError `payload_too_large` when this machine has no such room */
function allocate(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes)
  } catch (error) {
    const detail = `there is no room for a result of ${bytes} bytes; narrow the slice`
    throw new McbError('payload_too_large', detail, {}, { cause: error })
  }
}

function damaged(why: string): McbError {
  return new McbError('invalid_protobuf', `the answer is not whole: ${why}`)
}

function firstOf({ draws: [first] }: Page): Draws {
  if (first === undefined) throw damaged('it has no column')
  return first
}

function nameQuery({ group, name }: ColumnSpec): string {
  return `${group === 'draws' ? 'var' : 'stat'}=${encodeURIComponent(name)}`
}

function sliceQuery(slice: Slice): string[] {
  return (['start', 'stop', 'step'] as const).flatMap((part) => {
    const value = slice[part]
    return value === undefined ? [] : [`${part}=${BigInt(value)}`]
  })
}

/** The slice of one iteration; -1 is the last one. */
function sliceAt(index: number): Slice {
  return index === -1 ? { start: -1 } : { start: index, stop: index + 1 }
}

function requireIteration(index: number, count: number): void {
  if (count === 0) throw new McbError('invalid_slice', `the chain has no iteration ${index}`)
}

/** Columns in groups whose names fit into one query. */
function byQueryLength(columns: readonly ColumnSpec[]): ColumnSpec[][] {
  const groups: ColumnSpec[][] = []
  let group: ColumnSpec[] = []
  let characters = 0
  for (const spec of columns) {
    const more = nameQuery(spec).length + 1
    if (group.length === 0 || characters + more > QUERY_CHARACTERS) {
      group = []
      groups.push(group)
      characters = 0
    }
    group.push(spec)
    characters += more
  }
  return groups
}

/** How many draws a rising slice has at most in a chain of any length; undefined when it grows with the chain. */
function countBound({ start = 0, stop, step = 1 }: Slice): number | undefined {
  const [from, every] = [Number(start), Number(step)]
  if (every < 0) return undefined
  const isFromEnd = from < 0
  const to = stop === undefined ? undefined : Number(stop)
  let span: number | undefined
  if (to === undefined) span = isFromEnd ? -from : undefined
  else if (isFromEnd === to < 0) span = to - from
  else if (isFromEnd) span = Math.min(-from, to)
  return span === undefined ? undefined : Math.ceil(Math.max(0, span) / every)
}

function joinPages(spec: ColumnSpec, pages: readonly Draws[]): Draws {
  const [only] = pages
  if (pages.length === 1 && only !== undefined) return only
  if (spec.layout === 'ragged') return pages.flatMap((page) => (isDrawList(page) ? page : []))
  const data = pages.flatMap((page) => (!isDrawList(page) && page.dtype === 'str' ? page.data : []))
  const count = pages.reduce((sum, page) => sum + (isDrawList(page) ? 0 : (page.shape[0] ?? 0)), 0)
  return { dtype: 'str', shape: [count, ...spec.shape], data }
}
