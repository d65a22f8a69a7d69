/**
 * The events of one watcher of a run, as text/event-stream.
 *
 * However fast chains grow and however slowly the watcher reads, a feed keeps one length a chain: a length that has not
 * been taken yet is replaced by the present one, and so are diagnostics and counts.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import type { RunDiagnostics } from '../core/diagnostics/run-diagnostics.ts'
import type { RunWatcher } from '../core/store.ts'
import type { RunCounts } from '../core/summary/run-counts.ts'

/** Milliseconds between two events of one chain: at most 10 a second. */
const REST_MS = 100
/** Milliseconds between comments, which keep proxies from taking an idle connection for a dead one. */
const COMMENT_MS = 15_000
/** Milliseconds after which a browser reconnects. */
const RETRY_MS = 1000
/** Chains that are told in one piece. */
const CHAINS_PER_PIECE = 1000

/** Events of which a watcher needs the last alone. */
type Named = 'diagnostics' | 'counts'

export class EventFeed implements RunWatcher {
  /** Lengths as the watcher knows them. */
  private readonly told = new Map<number, number>()
  /** Lengths that it must still be told. */
  private readonly news = new Map<number, number>()
  /** Times from which on chains may be told of again, by chain. */
  private readonly rests = new Map<number, number>()
  private readonly registration: string
  /** Text of named events: the last one that the watcher knows, and the one that it must still be told. */
  private readonly known = new Map<Named, string>()
  private readonly newest = new Map<Named, string>()
  private draws = 0
  private end: 'deleted' | 'lost' | undefined
  private wake: () => void = () => {}

  constructor(registration: string) {
    this.registration = registration
  }

  grown(chain: number, length: number): void {
    if (length <= (this.told.get(chain) ?? -1) || length <= (this.news.get(chain) ?? -1)) return
    this.news.set(chain, length)
    this.wake()
  }

  diagnosed(diagnostics: RunDiagnostics): void {
    this.name('diagnostics', JSON.stringify(diagnostics))
  }

  counted(counts: RunCounts): void {
    this.name('counts', JSON.stringify(counts))
  }

  private name(event: Named, text: string): void {
    if (text === this.known.get(event)) {
      this.newest.delete(event)
      return
    }
    this.newest.set(event, text)
    this.wake()
  }

  deleted(): void {
    this.end = 'deleted'
    this.wake()
  }

  lost(): void {
    this.end ??= 'lost'
    this.wake()
  }

  /**
   * The stream's text, piece by piece: first the state, then changes.
   *
   * @param lastEventId id of the last event that the watcher has had before; when nothing has changed since, the state is left
   *   out, and when it was of another registration, that one is gone
   */
  async *text(lastEventId: string | undefined): AsyncGenerator<string> {
    yield `retry: ${RETRY_MS}\n\n`
    if (lastEventId !== undefined && this.isOfAnother(lastEventId)) {
      yield DELETED
      return
    }
    yield* this.state(lastEventId)
    let commentAt = Date.now() + COMMENT_MS
    for (;;) {
      const due = this.takeDue(Date.now())
      if (due !== '') yield due
      else if (this.end !== undefined) break
      else if (Date.now() >= commentAt) {
        commentAt = Date.now() + COMMENT_MS
        yield ': still here\n\n'
      } else await this.change(Math.min(commentAt, ...this.dueTimes()) - Date.now())
    }
    if (this.end === 'deleted') yield DELETED
  }

  /**
   * All chains, in one event for those who want to start with them, and in one each for those who know only these. Only the
   * last has the id: a watcher whose connection broke before it is told all of them again.
   */
  private *state(lastEventId: string | undefined): Generator<string> {
    const chains = [...this.news].sort(([a], [b]) => a - b)
    for (const [chain, length] of chains) this.tell(chain, length)
    this.news.clear()
    if (lastEventId === this.id()) return
    const list = chains.map(([chain, length]) => ({ chain, length }))
    const last = chains.at(-1)?.[0]
    yield `event: state\n${last === undefined ? `id: ${this.id()}\n` : ''}data: ${JSON.stringify({ chains: list })}\n\n`
    for (let at = 0; at < chains.length; at += CHAINS_PER_PIECE) {
      yield chains
        .slice(at, at + CHAINS_PER_PIECE)
        .map(([chain, length]) => (chain === last ? this.event(chain, length) : dataOf(chain, length)))
        .join('')
    }
  }

  private takeDue(now: number): string {
    let text = ''
    for (const [chain, length] of this.news) {
      if ((this.rests.get(chain) ?? 0) > now && this.end === undefined) continue
      this.news.delete(chain)
      this.rests.set(chain, now + REST_MS)
      this.tell(chain, length)
      text += this.event(chain, length)
    }
    return text + this.takeNamed()
  }

  /** No id: a watcher that connects again is told them again. */
  private takeNamed(): string {
    let text = ''
    for (const [event, data] of this.newest) {
      this.known.set(event, data)
      text += `event: ${event}\ndata: ${data}\n\n`
    }
    this.newest.clear()
    return text
  }

  private dueTimes(): number[] {
    return [...this.news.keys()].map((chain) => this.rests.get(chain) ?? 0)
  }

  private tell(chain: number, length: number): void {
    this.draws += length - (this.told.get(chain) ?? 0)
    this.told.set(chain, length)
  }

  private event(chain: number, length: number): string {
    return `id: ${this.id()}\n${dataOf(chain, length)}`
  }

  /** The watcher's knowledge in short: chains only come and grow, so equal numbers mean equal chains. */
  private id(): string {
    return `${this.told.size}-${this.draws}-${this.registration}`
  }

  private isOfAnother(lastEventId: string): boolean {
    const registration = /^\d+-\d+-(.+)$/.exec(lastEventId)?.[1]
    return registration !== undefined && registration !== this.registration
  }

  /** Waits for news, at most so many milliseconds. */
  private async change(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.wake = resolve
    const timer = setTimeout(resolve, Math.max(0, milliseconds))
    await promise
    clearTimeout(timer)
    this.wake = () => {}
  }
}

function dataOf(chain: number, length: number): string {
  return `data: ${JSON.stringify({ chain, length })}\n\n`
}

/** The event of a deletion, with an empty id, so that a browser, which reconnects by itself, starts anew. */
const DELETED = 'event: deleted\nid\ndata: {}\n\n'
