/** The pages of a read, in order: the first may be here already, and the next are fetched while it is taken. */

import { type ResolvedSlice, sliceOf } from '../core/draws/slice.ts'
import type { ChainState, Question, ReadCursor, ReadPage, Store, Stretch } from '../core/store.ts'

/**
 * Pages of a read that are fetched before they are asked for, so that storage and network work at the same time; and those
 * of all reads of a tenant together, since each lies in memory until its reader takes it.
 */
const PAGES_AHEAD = 2
const ALL_PAGES_AHEAD = 16

/** Pages that may still be fetched before they are asked for. */
export class PageRoom {
  left = ALL_PAGES_AHEAD
}

/** Source of a read: the draws of a chain, as of one moment. */
export interface ReadSource {
  readonly store: Store
  readonly registration: string
  readonly room: PageRoom
  readonly moment: ChainState
}

/** A read of a chain at one moment. Draws of a column in the first page are given away once, and read anew after that. */
export class MomentRead {
  private readonly source: ReadSource
  private readonly question: Question
  private first: ReadPage | undefined
  private readonly given = new Set<number>()

  constructor(source: ReadSource, question: Question, first?: ReadPage) {
    this.source = source
    this.question = question
    this.first = first
  }

  /** See `Selection.read`; `whole` is the slice of the question. */
  async *read(whole: ResolvedSlice, positions: readonly number[], slice: ResolvedSlice): AsyncGenerator<Stretch> {
    const { elements } = this.question
    const columns = positions.map((position) => this.question.columns[position] ?? -1)
    const question = { columns, slice: slice === whole ? this.question.slice : sliceOf(slice), elements }
    const takeFirst = () => (slice === whole ? this.takeFirst(positions) : undefined)
    for await (const { position, count, data } of pagesOf(this.source, question, takeFirst)) {
      yield { position: positions[position] ?? -1, count, data }
    }
  }

  /** The first page's draws of some columns, as the first page of a question about these alone. */
  private takeFirst(positions: readonly number[]): ReadPage | undefined {
    const { first, given } = this
    this.first = undefined
    if (first === undefined || positions.some((position) => given.has(position))) return undefined
    const places = new Map(positions.map((position, i) => [position, i]))
    const stretches: Stretch[] = []
    const kept: Stretch[] = []
    for (const stretch of first.stretches) {
      const position = places.get(stretch.position)
      if (position === undefined) kept.push(stretch)
      else stretches.push({ ...stretch, position })
    }
    for (const position of positions) given.add(position)
    if (kept.length > 0) this.first = { ...first, stretches: kept }
    const { next } = first
    const position = next === undefined ? -1 : positions.findIndex((p) => p >= next.position)
    if (next === undefined || position < 0) return { stretches }
    const done = positions[position] === next.position ? next.done : 0
    return { stretches, next: { moment: next.moment, position, done } }
  }
}

/**
 * All stretches of an answer. Nothing is fetched ahead before the first page has been taken whole: its reader may not read.
 * That page is not an argument, since a generator keeps those until it ends.
 */
async function* pagesOf(
  source: ReadSource,
  question: Question,
  takeFirst: () => ReadPage | undefined,
): AsyncGenerator<Stretch> {
  const { store, registration, room, moment } = source
  const fetchPage = async (cursor: ReadCursor) => (await store.read(registration, moment.chain, question, cursor)).page
  const pages: Promise<ReadPage | undefined>[] = []
  // A page says where the next begins, so each is asked for when the one before has come.
  const follow = async (before: Promise<ReadPage | undefined>) => {
    const next = (await before)?.next
    return next === undefined ? undefined : fetchPage(next)
  }
  const fetchAhead = (last: Promise<ReadPage | undefined>): void => {
    if (pages.length >= PAGES_AHEAD || room.left === 0) return
    room.left--
    const page = follow(last)
    // Its rejection is met when its turn comes; it may never come when the reader stops before.
    page.catch(() => undefined)
    pages.push(page)
    fetchAhead(page)
  }
  try {
    let page: ReadPage | undefined = takeFirst() ?? (await fetchPage({ moment, position: 0, done: 0 }))
    for (let asked: Promise<ReadPage | undefined>; page !== undefined; page = await asked) {
      yield* page.stretches
      if (page.next === undefined) return
      const fetched = pages.shift()
      if (fetched !== undefined) room.left++
      asked = fetched ?? fetchPage(page.next)
      fetchAhead(pages.at(-1) ?? asked)
    }
  } finally {
    room.left += pages.length
  }
}
