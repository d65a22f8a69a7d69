/**
 * Answers to reads that are open at a time, for each tenant: each holds a page of draws, or a whole document, for as long as
 * its reader takes. Streams of events are counted apart from them.
 */

import { McbError } from '../core/errors.ts'
import type { Bounds } from '../core/limits.ts'

type Kind = 'answers' | 'events'

/** Bytes of draws that each answer may hold, whatever others do. */
const OWN_BYTES = 2 * 1024 * 1024

/** The place of one answer, given back once, by the first to learn that the answer has ended. */
export class Place {
  /** True for an answer that goes on when its handler has returned, and then ends the place itself. */
  isStreamed = false
  /** True where the platform ends the answer of a reader that does not read. */
  isWatched = false
  private end: ((shared: number) => void) | undefined
  private readonly share: (bytes: number) => boolean
  private own = OWN_BYTES
  private shared = 0

  /**
   * @param share asks for bytes of the room that all answers have together
   * @param end told how many of these the place has taken
   */
  constructor(share: (bytes: number) => boolean, end: (shared: number) => void) {
    this.share = share
    this.end = end
  }

  /** Takes memory for draws until the place is given back; false when there is none for them. */
  readonly hold = (bytes: number): boolean => {
    if (this.end === undefined) return false
    if (bytes <= this.own) {
      this.own -= bytes
      return true
    }
    if (!this.share(bytes)) return false
    this.shared += bytes
    return true
  }

  readonly release = (): void => {
    this.end?.(this.shared)
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

export class OpenAnswers {
  private readonly most: { readonly [K in Kind]: number }
  private readonly open = { answers: new Counts(), events: new Counts() }
  private readonly heldBytes: number
  private readonly held = new Counts()

  constructor({ answers, eventStreams, heldBytes }: Pick<Bounds, 'answers' | 'eventStreams' | 'heldBytes'>) {
    this.most = { answers, events: eventStreams }
    this.heldBytes = heldBytes
  }

  /** @throws McbError `overloaded` */
  take(tenant: string, kind: Kind): Place {
    const open = this.open[kind]
    const limit = this.most[kind]
    if (open.of(tenant) >= limit) {
      const what = kind === 'answers' ? 'answers' : 'streams of events'
      throw new McbError('overloaded', `${limit} ${what} are open, which is the most at a time; read these first`, {
        limit,
      })
    }
    open.add(tenant, 1)
    return new Place(
      (bytes) => this.hold(tenant, bytes),
      (shared) => {
        open.add(tenant, -1)
        this.held.add(tenant, -shared)
      },
    )
  }

  private hold(tenant: string, bytes: number): boolean {
    const isRoom = this.held.of(tenant) + bytes <= this.heldBytes / 2 && this.held.sum + bytes <= this.heldBytes
    if (isRoom) this.held.add(tenant, bytes)
    return isRoom
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
