/** Reads of one chain: slices in pages, so that the memory it takes is the result's and one page's. */

import type { ColumnSpec } from '../core/draws/columns.ts'
import type { NdArray } from '../core/draws/ndarray.ts'
import { type ResolvedSlice, resolveSlice, type Slice } from '../core/draws/slice.ts'
import { drawAt, drawsOf, isDrawList } from '../core/draws/values.ts'
import { isMcbError, McbError } from '../core/errors.ts'
import type { Draws } from '../core/interfaces.ts'
import { JSON_TYPE, PROTOBUF } from '../core/media-types.ts'
import type { DecodedAnswer } from '../core/wire/read-answer.ts'
import { gather, sideBySide } from './gather.ts'
import { readChain } from './json.ts'
import { byQueryLength, type ColumnQuery, drawsOfPage, type Query, queryOfColumns } from './query.ts'
import type { Transport } from './transport.ts'

interface SizedAnswer extends DecodedAnswer {
  /** Size of the whole answer. */
  readonly bytes: number
}

/** Some draws of a column. */
interface Page {
  readonly draws: Draws
  /** Size of the answers that it came in. */
  readonly bytes: number
}

export class ChainReader {
  private readonly transport: Transport
  private readonly path: string
  private readonly number: number
  private readonly headers: Readonly<Record<string, string>>

  constructor(
    transport: Transport,
    { path, number }: { readonly path: string; readonly number: number },
    headers: Readonly<Record<string, string>>,
  ) {
    this.transport = transport
    this.path = path
    this.number = number
    this.headers = headers
  }

  async length(): Promise<number> {
    const { path, number, headers } = this
    const request = { method: 'GET', path, headers, type: JSON_TYPE } as const
    const { length } = await this.transport.send(request, (answer) => readChain(answer, number))
    return length
  }

  async column(asked: ColumnQuery, slice: Slice): Promise<Draws> {
    resolveSlice(slice, 0)
    const most = countBound(slice)
    const { queries, firstDraws, isSized } = asked
    if (queries.length === 1 && isSized && most !== undefined && most <= firstDraws) {
      return firstOf(await this.fetch(queries[0], slice, ({ count }) => count <= most))
    }
    const resolved = resolveSlice(slice, await this.length())
    return resolved.count === 0 ? drawsOf(asked.column, []) : this.pages(asked, resolved)
  }

  /** Values of one iteration, by name. */
  async iteration(index: number, columns: readonly ColumnSpec[]): Promise<Map<string, NdArray>> {
    const values = new Map<string, NdArray>()
    let at = index
    if (columns.length === 0) requireIteration(index, resolveSlice(sliceAt(index), await this.length()).count)
    for (const group of byQueryLength(columns)) {
      const { draws, start, count } = await this.fetch(queryOfColumns(group), sliceAt(at), (answer) => {
        return answer.count === 0 || (answer.count === 1 && (at < 0 || answer.start === at))
      })
      requireIteration(index, count)
      // The other columns come from the same iteration, also when the chain grows meanwhile.
      at = start
      for (const [position, spec] of group.entries()) {
        const column = draws[position]
        if (column !== undefined) values.set(spec.name, drawAt(spec, column, 0))
      }
    }
    return values
  }

  private async pages(asked: ColumnQuery, slice: ResolvedSlice): Promise<Draws> {
    const result = gather(asked.column, slice.count)
    let each = asked.firstDraws
    for (let done = 0; done < slice.count; ) {
      const count = Math.min(each, slice.count - done)
      const page = await this.page(asked, slice, done, count).catch((error) => {
        if (asked.pages === 'equal' || !isMcbError(error, 'payload_too_large') || count === 1) throw error
        each = Math.max(1, Math.floor(count / 16))
      })
      if (page === undefined) continue
      result.add(page.draws)
      done += count
      if (asked.pages === 'measured') each = Math.min(each * 16, drawsOfPage(page.bytes / count))
    }
    return result.finish()
  }

  /** The draws `from … from + count` of a slice, by their absolute indices, which are the same draws in every answer. */
  private async page(asked: ColumnQuery, slice: ResolvedSlice, from: number, count: number): Promise<Page> {
    const step = slice.count === 1 ? 1 : Number(slice.step)
    const start = slice.first + from * step
    const stop = start + count * step
    const answered = { start, stop: stop < 0 ? undefined : stop, step }
    const parts: Draws[] = []
    let bytes = 0
    for (const query of asked.queries) {
      const answer = await this.fetch(query, answered, (part) => part.count === count && part.start === start)
      const draws = firstOf(answer)
      bytes += answer.bytes
      if (isComplete(asked, draws)) return { draws, bytes }
      parts.push(draws)
    }
    return { draws: sideBySide(parts), bytes }
  }

  /** Some columns of a slice. An answer that is not of it has been damaged, or is another's that a cache has kept. */
  private fetch(asked: Query, slice: Slice, isOfSlice: (answer: DecodedAnswer) => boolean): Promise<SizedAnswer> {
    const query = [...asked.parameters, ...sliceQuery(slice)].join('&')
    const request = {
      method: 'GET',
      path: `${this.path}/draws?${query}`,
      headers: this.headers,
      type: PROTOBUF,
    } as const
    return this.transport.send(request, ({ bytes }) => {
      const answer = asked.decode(bytes)
      if (!isOfSlice(answer)) throw damaged(`${answer.count} draws from ${answer.start} on are not what was asked for`)
      return { ...answer, bytes: bytes.length }
    })
  }
}

function damaged(why: string): McbError {
  return new McbError('invalid_protobuf', `the answer is not whole: ${why}`)
}

function firstOf({ draws: [first] }: DecodedAnswer): Draws {
  if (first === undefined) throw damaged('it has no column')
  return first
}

/** True where the result needs no further answer: there is one query, or an older server has sent whole values. */
function isComplete({ queries, column }: ColumnQuery, draws: Draws): boolean {
  if (queries.length === 1) return true
  return column.layout === 'rigid' && !isDrawList(draws) && draws.shape[1] === column.elements
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

/** Draws of a rising slice at most, in a chain of any length; undefined when they grow with the chain. */
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
