/** Speed of chains: draws a second, of the last while. */

/** Milliseconds that a rate looks back, and after which a chain without news stands still. */
const WINDOW_MS = 10_000
/** Notes of a chain at most: the oldest are dropped, as a page is open for weeks. */
const NOTES = 64

interface Note {
  readonly at: number
  readonly length: number
}

export class Rates {
  private readonly notes = new Map<number, Note[]>()

  /** @param at milliseconds since 1970 at which the chain had this length */
  note(chain: number, length: number, at: number): void {
    const list = this.notes.get(chain) ?? []
    this.notes.set(chain, list)
    list.push({ at, length })
    if (list.length > NOTES) list.splice(0, list.length - NOTES)
  }

  /** Draws a second; undefined where too little was seen, 0 where nothing has come for a while. */
  of(chain: number, now = Date.now()): number | undefined {
    const list = this.notes.get(chain) ?? []
    const last = list.at(-1)
    if (last === undefined || list.length < 2) return undefined
    if (now - last.at > WINDOW_MS) return 0
    const first = list.find(({ at }) => last.at - at <= WINDOW_MS) ?? last
    const seconds = (Math.max(last.at, Math.min(now, last.at + WINDOW_MS / 10)) - first.at) / 1000
    return seconds <= 0 ? undefined : (last.length - first.length) / seconds
  }

  /** Milliseconds since 1970 of the last news of a chain. */
  heardAt(chain: number): number | undefined {
    return this.notes.get(chain)?.at(-1)?.at
  }
}
