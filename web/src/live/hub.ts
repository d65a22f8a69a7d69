/**
 * The hub of all tabs of a browser: one stream a run, however many tabs look at it, and few streams in all.
 *
 * A browser opens six connections to a server that speaks HTTP/1.1. Streams of ten tabs would leave none for requests, so that
 * three runs are streamed, those that were asked for last, and others looked at every second.
 */
import type { FromHub, HubEvent, Port, ToHub, WatchedRun } from './protocol.ts'
import { follow } from './stream.ts'

const STREAMS = 3
/** Milliseconds of silence after which a tab has gone: browsers let timers of hidden tabs fire once a minute. */
const SILENCE_MS = 180_000
/** Milliseconds for which a run is still followed that no tab shows. */
const UNSEEN_MS = 15_000

export class Hub {
  private readonly tabs = new Set<Tab>()
  private readonly followed = new Map<string, Followed>()

  constructor() {
    setInterval(() => this.sweep(), UNSEEN_MS / 3)
  }

  /** Takes the end of a tab's channel. */
  connect(port: Port): void {
    const tab: Tab = { port, watches: new Map(), isSeen: true, heardAt: Date.now(), seenAt: Date.now() }
    this.tabs.add(tab)
    port.onmessage = ({ data }: MessageEvent<ToHub>) => this.hear(tab, data)
  }

  private hear(tab: Tab, message: ToHub): void {
    tab.heardAt = Date.now()
    switch (message.type) {
      case 'watch':
        tab.watches.set(message.id, keyOf(message.run))
        this.join(tab, message.id, message.run)
        break
      case 'unwatch':
        tab.watches.delete(message.id)
        this.balance()
        break
      case 'here':
        tab.isSeen = message.isSeen
        if (message.isSeen) tab.seenAt = Date.now()
        this.balance()
        break
      case 'bye':
        this.tabs.delete(tab)
        this.balance()
        break
    }
  }

  /** A tab that comes later is told what is known. */
  private join(tab: Tab, id: number, run: WatchedRun): void {
    const name = keyOf(run)
    let followed = this.followed.get(name)
    if (followed === undefined || followed.isOver) {
      followed = {
        run,
        lengths: new Map(),
        latest: new Map(),
        isOver: false,
        askedAt: Date.now(),
        following: undefined,
      }
      this.followed.set(name, followed)
    }
    followed.askedAt = Date.now()
    const tell = (event: HubEvent) => tab.port.postMessage({ id, event } satisfies FromHub)
    if (followed.lengths.size > 0) {
      tell({ type: 'chains', chains: [...followed.lengths].map(([chain, length]) => ({ chain, length })) })
    }
    for (const event of followed.latest.values()) tell(event)
    this.balance()
  }

  /** Streams for those runs that were asked for last, looks for others, nothing for those that nobody sees. */
  private balance(): void {
    const wanted = [...this.followed.entries()].filter(([name]) => this.isWanted(name))
    wanted.sort(([, a], [, b]) => b.askedAt - a.askedAt)
    const streamed = new Set(wanted.slice(0, STREAMS).map(([name]) => name))
    for (const [name, followed] of this.followed) {
      const how = !this.isWanted(name) ? undefined : streamed.has(name) ? 'stream' : 'looks'
      if (!this.hasWatcher(name)) this.followed.delete(name)
      if (followed.isOver || followed.following?.how === how) continue
      followed.following?.stop.abort()
      followed.following = how === undefined ? undefined : this.follow(name, followed, how)
    }
  }

  private follow(name: string, followed: Followed, how: 'stream' | 'looks'): Following {
    const stop = new AbortController()
    const tell = (event: HubEvent) => {
      if (!stop.signal.aborted) this.tell(name, followed, event)
    }
    follow(followed.run, how, tell, stop.signal).catch(() => tell({ type: 'away' }))
    return { how, stop }
  }

  private tell(name: string, followed: Followed, event: HubEvent): void {
    if (event.type === 'chains') for (const { chain, length } of event.chains) followed.lengths.set(chain, length)
    else if (event.type === 'connected' || event.type === 'away') followed.latest.set('connection', event)
    else followed.latest.set(event.type, event)
    if (event.type === 'deleted' || event.type === 'refused') followed.isOver = true
    for (const tab of this.tabs) {
      for (const [id, watched] of tab.watches) {
        if (watched === name) tab.port.postMessage({ id, event } satisfies FromHub)
      }
    }
  }

  private hasWatcher(name: string): boolean {
    return [...this.tabs].some(({ watches }) => [...watches.values()].includes(name))
  }

  private isWanted(name: string): boolean {
    const now = Date.now()
    return [...this.tabs].some(
      ({ watches, isSeen, seenAt }) => (isSeen || now - seenAt < UNSEEN_MS) && [...watches.values()].includes(name),
    )
  }

  /** Forgets tabs that have gone without a word. */
  private sweep(): void {
    const now = Date.now()
    for (const tab of this.tabs) if (now - tab.heardAt > SILENCE_MS) this.tabs.delete(tab)
    this.balance()
  }
}

interface Tab {
  readonly port: Port
  /** Names of runs, by the ids of the tab's watches. */
  readonly watches: Map<number, string>
  isSeen: boolean
  heardAt: number
  seenAt: number
}

interface Following {
  readonly how: 'stream' | 'looks'
  readonly stop: AbortController
}

interface Followed {
  readonly run: WatchedRun
  readonly lengths: Map<number, number>
  /** The last event of each kind, for tabs that come later. */
  readonly latest: Map<string, HubEvent>
  isOver: boolean
  askedAt: number
  following: Following | undefined
}

/** Tabs share what they see with one key. */
function keyOf({ rid, key = '' }: WatchedRun): string {
  return `${key} ${rid}`
}
