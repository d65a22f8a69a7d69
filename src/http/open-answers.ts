/**
 * Answers to reads that are open at a time, for each tenant: each holds a page of draws, or a whole document, for as long as
 * its reader takes. Streams of events are counted apart from them.
 */

import { McbError } from '../core/errors.ts'
import type { Bounds } from '../core/limits.ts'

type Kind = 'answers' | 'events'

/** The place of one answer, given back once, by the first to learn that the answer has ended. */
export class Place {
  /** True for an answer that goes on when its handler has returned, and then ends the place itself. */
  isStreamed = false
  /** True where the platform ends the answer of a reader that does not read. */
  isWatched = false
  private end: (() => void) | undefined

  constructor(end: () => void) {
    this.end = end
  }

  readonly release = (): void => {
    this.end?.()
    this.end = undefined
  }
}

export class OpenAnswers {
  private readonly most: { readonly [K in Kind]: number }
  private readonly open = { answers: new Map<string, number>(), events: new Map<string, number>() }

  constructor({ answers, eventStreams }: Pick<Bounds, 'answers' | 'eventStreams'>) {
    this.most = { answers, events: eventStreams }
  }

  /** @throws McbError `overloaded` */
  take(tenant: string, kind: Kind): Place {
    const open = this.open[kind]
    const before = open.get(tenant) ?? 0
    const limit = this.most[kind]
    if (before >= limit) {
      const what = kind === 'answers' ? 'answers' : 'streams of events'
      throw new McbError('overloaded', `${limit} ${what} are open, which is the most at a time; read these first`, {
        limit,
      })
    }
    open.set(tenant, before + 1)
    return new Place(() => {
      const left = (open.get(tenant) ?? 0) - 1
      if (left > 0) open.set(tenant, left)
      else open.delete(tenant)
    })
  }

  /** Answers of this kind that are open, of all tenants. */
  count(kind: Kind): number {
    return [...this.open[kind].values()].reduce((sum, n) => sum + n, 0)
  }
}
