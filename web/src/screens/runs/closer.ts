/** A closer look at the runs that are on the screen: what they expect, and figures that nobody has asked for yet. */
import { ApiProblem } from '../../api/http.ts'
import { type Asking, getAbout, getChecks } from '../../api/run.ts'
import type { About, RunLine } from '../../api/shapes.ts'
import { key } from '../../app/session.ts'
import { expectedOf } from './expected.ts'

/** Milliseconds between two questions: the server has samplers to serve first. */
const EVERY_MS = 1500
/** Seconds that the server may compute before it answers. */
const WAIT = 2
/** Milliseconds between two questions for the figures of a run that grows. */
const FIGURES_MS = 30_000
/** Milliseconds after the last write from which figures are of all draws: before, the server may answer of fewer. */
const SETTLED_MS = 2000
/** Milliseconds after which figures are asked for again that the server was still at. */
const UNFINISHED_MS = 3000

/** The last question for the figures of a run. */
interface Asked {
  readonly updatedAt: string
  readonly state: RunLine['state']
  /** Milliseconds since 1970 from which on it is worth asking again though nothing was written. */
  readonly again: number
}

export class Closer {
  private readonly onAbout: (about: About) => void
  private readonly onGone: (rid: string) => void
  private readonly ended = new AbortController()
  private readonly timer: ReturnType<typeof setInterval>
  private readonly expected = new Map<string, number | undefined>()
  private readonly asked = new Map<string, Asked>()
  private isAsking = false

  /** @param visible the lines on the screen */
  constructor(
    visible: () => readonly RunLine[],
    { onAbout, onGone }: { readonly onAbout: (about: About) => void; readonly onGone: (rid: string) => void },
  ) {
    this.onAbout = onAbout
    this.onGone = onGone
    this.timer = setInterval(() => {
      if (!this.isAsking && document.visibilityState === 'visible') void this.ask(visible())
    }, EVERY_MS)
  }

  close(): void {
    clearInterval(this.timer)
    this.ended.abort()
  }

  /** Iterations that each chain is to have; undefined where nobody has said. */
  expectedOf(rid: string): number | undefined {
    return this.expected.get(rid)
  }

  private async ask(lines: readonly RunLine[]): Promise<void> {
    const asking = { key: key.value, signal: this.ended.signal }
    const wanting = lines.find((line) => this.wantsFigures(line))
    const line = lines.find(({ rid, state }) => state === 'live' && !this.expected.has(rid)) ?? wanting
    if (line === undefined) return
    this.isAsking = true
    try {
      if (line === wanting) await this.askFigures(line, asking)
      const about = await getAbout(line.rid, asking)
      this.expected.set(line.rid, expectedOf(about.facts))
      this.onAbout(about)
    } catch (error) {
      this.bear(line, error)
    } finally {
      this.isAsking = false
    }
  }

  private async askFigures({ rid, updatedAt, state }: RunLine, asking: Asking): Promise<void> {
    const note = (pause: number) => this.asked.set(rid, { updatedAt, state, again: Date.now() + pause })
    note(FIGURES_MS)
    const { progress } = await getChecks(rid, { ...asking, wait: WAIT })
    if (progress !== undefined) note(UNFINISHED_MS)
    else if (state !== 'live') note(Number.POSITIVE_INFINITY)
  }

  private bear({ rid }: RunLine, error: unknown): void {
    if (this.ended.signal.aborted) return
    if (!(error instanceof ApiProblem)) throw error
    if (error.code === 'run_not_found') this.onGone(rid)
    // Not to be asked again and again, as a run of which the draws are too many.
    else if (!error.isPassing) this.expected.set(rid, this.expected.get(rid))
  }

  private wantsFigures({ rid, draws, state, updatedAt, diagnostics }: RunLine): boolean {
    if (draws === 0) return false
    const isOfAll = diagnostics !== null && Date.parse(diagnostics.at) - Date.parse(updatedAt) >= SETTLED_MS
    if (isOfAll && diagnostics.status !== null) return false
    const before = this.asked.get(rid)
    if (before === undefined || Date.now() >= before.again) return true
    // It was live when it was asked for last: its last draws may be missing.
    return state !== 'live' && (before.state !== state || before.updatedAt !== updatedAt)
  }
}
