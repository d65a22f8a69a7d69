/** Announcements of a moment, held until they are written together. */
import type { CatalogueEntry } from './catalogue.ts'
import { GATHER_MS } from './shards.ts'

/** Characters of names and diagnostics that one statement takes at most; its parameter may have 2 MB. */
const GATHERED_CHARACTERS = 500_000
/** Characters of an announcement beside its texts, at most. */
const OTHERS = 300

export class Gathering {
  private readonly write: (entries: readonly CatalogueEntry[]) => Promise<void>
  private waiting = new Map<string, CatalogueEntry>()
  private written: PromiseWithResolvers<void> | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  private characters = 0

  /** @param write puts them into one transaction before it gives its promise back */
  constructor(write: (entries: readonly CatalogueEntry[]) => Promise<void>) {
    this.write = write
  }

  /** Resolves when the announcement is written. */
  add(entry: CatalogueEntry): Promise<void> {
    const characters = OTHERS + entry.rid.length + entry.registration.length + (entry.diagnostics?.length ?? 0)
    if (this.characters + characters > GATHERED_CHARACTERS) this.flush()
    this.characters += characters
    const other = this.waiting.get(entry.rid)
    if (other === undefined || other.version < entry.version) this.waiting.set(entry.rid, entry)
    if (this.written === undefined) {
      this.written = Promise.withResolvers()
      this.timer = setTimeout(() => this.flush(), GATHER_MS)
    }
    return this.written.promise
  }

  /** Writes what waits at once, so that what comes next finds it. */
  flush(): void {
    const { waiting, written } = this
    if (written === undefined) return
    clearTimeout(this.timer)
    this.waiting = new Map()
    this.written = undefined
    this.characters = 0
    written.resolve(this.write([...waiting.values()]))
  }
}
