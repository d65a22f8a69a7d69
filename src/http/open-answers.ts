/**
 * Answers to reads that are open at a time, for each tenant: each holds a page of draws, or a whole document, for as long as
 * its reader takes. Streams of events are counted apart from them, and so are bodies that are streams.
 */

import { McbError } from '../core/errors.ts'
import type { Room } from '../core/formats/measure.ts'
import type { Bounds } from '../core/limits.ts'

type Kind = 'answers' | 'events' | 'bodies'

const WORDS = {
  answers: 'answers are open, which is the most at a time; read these first',
  events: 'streams of events are open, which is the most at a time; read these first',
  bodies: 'files are being followed, which is the most at a time; end one of them first',
} as const

/** Bytes of draws that each answer may hold, whatever others do. */
const OWN_BYTES = 2 * 1024 * 1024

/** The bytes of draws that all answers of a tenant hold beside their own. */
interface CommonRoom {
  /** Takes so many bytes; false when there are not as many. */
  take(bytes: number): boolean
  give(bytes: number): void
}

/** The place of one answer, given back once, by the first to learn that the answer has ended. */
export class Place implements Room {
  /** True for an answer that goes on when its handler has returned, and then ends the place itself. */
  isStreamed = false
  /** True where the platform ends the answer of a reader that does not read. */
  isWatched = false
  private end: (() => void) | undefined
  private readonly common: CommonRoom
  private own = 0
  private beside = 0

  constructor(common: CommonRoom, end: () => void) {
    this.common = common
    this.end = end
  }

  take(bytes: number): boolean {
    if (this.end === undefined) throw new McbError('overloaded', 'nobody waits for this answer any more')
    if (this.own + bytes <= OWN_BYTES) {
      this.own += bytes
      return true
    }
    if (!this.common.take(bytes)) return false
    this.beside += bytes
    return true
  }

  give(bytes: number): void {
    const beside = Math.min(bytes, this.beside)
    this.common.give(beside)
    this.beside -= beside
    this.own -= bytes - beside
  }

  readonly release = (): void => {
    if (this.end === undefined) return
    this.give(this.own + this.beside)
    this.end()
    this.end = undefined
  }
}

/** Numbers by tenant, of which only those above 0 are kept. */
class Counts {
  private readonly counts = new Map<string, number>()

  of(tenant: string): number {
    return this.counts.get(tenant) ?? 0
  }

  add(tenant: string, n: number): void {
    const sum = this.of(tenant) + n
    if (sum > 0) this.counts.set(tenant, sum)
    else this.counts.delete(tenant)
  }

  get sum(): number {
    return [...this.counts.values()].reduce((sum, n) => sum + n, 0)
  }
}

type AnswerBounds = Pick<Bounds, 'answers' | 'eventStreams' | 'bodyStreams' | 'heldBytes'>

export class OpenAnswers {
  private readonly most: { readonly [K in Kind]: number }
  private readonly open = { answers: new Counts(), events: new Counts(), bodies: new Counts() }
  private readonly heldBytes: number
  private readonly held = new Counts()

  constructor({ answers, eventStreams, bodyStreams, heldBytes }: AnswerBounds) {
    this.most = { answers, events: eventStreams, bodies: bodyStreams }
    this.heldBytes = heldBytes
  }

  /** @throws McbError `overloaded` */
  take(tenant: string, kind: Kind): Place {
    const open = this.open[kind]
    const limit = this.most[kind]
    if (open.of(tenant) >= limit) {
      throw new McbError('overloaded', `${limit} ${WORDS[kind]}`, { limit })
    }
    open.add(tenant, 1)
    return new Place(this.commonRoom(tenant), () => open.add(tenant, -1))
  }

  private commonRoom(tenant: string): CommonRoom {
    const { held, heldBytes } = this
    return {
      take: (bytes) => {
        const isRoom = held.of(tenant) + bytes <= heldBytes / 2 && held.sum + bytes <= heldBytes
        if (isRoom) held.add(tenant, bytes)
        return isRoom
      },
      give: (bytes) => held.add(tenant, -bytes),
    }
  }

  /** Answers of this kind that are open, of all tenants. */
  count(kind: Kind): number {
    return this.open[kind].sum
  }

  /** Bytes of draws that answers hold beside their own, of all tenants. */
  get bytesHeld(): number {
    return this.held.sum
  }
}
