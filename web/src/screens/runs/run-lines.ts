/** Lines of the list by rid: pages and changes come in, and what is gone goes. */
import type { RunLine } from '../../api/shapes.ts'

/** Milliseconds for which a change made here outlives lines that lists may have from before. */
const LAG_MS = 5000

interface Kept {
  readonly createdAt: string
  readonly until: number
  /** Null for a run that was deleted here. */
  readonly changed: Pick<RunLine, 'name' | 'tags' | 'archived'> | null
}

export class RunLines {
  private readonly lines = new Map<string, RunLine>()
  private readonly kept = new Map<string, Kept>()
  /** Runs that were met since a look at all began. */
  private met: Set<string> | undefined
  private latest = ''

  /** The newest `updatedAt` that was seen, by the server's clock; empty before the first line. */
  get newest(): string {
    return this.latest
  }

  get size(): number {
    return this.lines.size
  }

  values(): RunLine[] {
    return [...this.lines.values()]
  }

  get(rid: string): RunLine | undefined {
    return this.lines.get(rid)
  }

  /** A look at the whole list begins: runs that it does not meet are gone at its end. */
  beginLook(): void {
    this.met = new Set()
  }

  /** True where runs were gone. */
  endLook(): boolean {
    const { met } = this
    this.met = undefined
    if (met === undefined) return false
    const before = this.lines.size
    for (const rid of this.lines.keys()) if (!met.has(rid)) this.lines.delete(rid)
    return this.lines.size < before
  }

  /** Lines of an answer. A line in which nothing is new stays the same object. @returns those that are new */
  merge(page: readonly RunLine[], now = Date.now()): readonly RunLine[] {
    const news: RunLine[] = []
    for (const given of page) {
      if (given.updatedAt > this.latest) this.latest = given.updatedAt
      const line = this.withKept(given, now)
      if (line === undefined) continue
      this.met?.add(line.rid)
      const before = this.lines.get(line.rid)
      if (before !== undefined && isSame(before, line)) continue
      this.lines.set(line.rid, line)
      news.push(line)
    }
    return news
  }

  /** A line that this page has changed itself: older answers that are on their way do not undo it. */
  put(line: RunLine, now = Date.now()): void {
    const { rid, createdAt, name, tags, archived } = line
    this.kept.set(rid, { createdAt, until: now + LAG_MS, changed: { name, tags, archived } })
    this.lines.set(rid, line)
    this.met?.add(rid)
  }

  /** A run that was deleted here. */
  drop(rid: string): void {
    const line = this.lines.get(rid)
    if (line === undefined) return
    this.kept.set(rid, { createdAt: line.createdAt, until: Number.POSITIVE_INFINITY, changed: null })
    this.lines.delete(rid)
  }

  private withKept(line: RunLine, now: number): RunLine | undefined {
    const kept = this.kept.get(line.rid)
    if (kept === undefined) return line
    // A run that was registered anew is another one.
    if (line.createdAt > kept.createdAt || now > kept.until) {
      this.kept.delete(line.rid)
      return line
    }
    return kept.changed === null ? undefined : { ...line, ...kept.changed }
  }
}

function isSame(a: RunLine, b: RunLine): boolean {
  return (
    a.updatedAt === b.updatedAt &&
    a.draws === b.draws &&
    a.chains === b.chains &&
    a.state === b.state &&
    a.name === b.name &&
    a.archived === b.archived &&
    a.createdAt === b.createdAt &&
    a.tags.length === b.tags.length &&
    a.tags.every((tag, i) => tag === b.tags[i]) &&
    a.diagnostics?.at === b.diagnostics?.at &&
    a.diagnostics?.status === b.diagnostics?.status &&
    a.diagnostics?.draws === b.diagnostics?.draws
  )
}
