/** Draws that are fetched ahead, when nothing else has been asked for a while: one chain after the other, a little at a time. */
import type { Loader, Wanted } from './loader.ts'
import { URGENCY } from './turns.ts'

/** Milliseconds without a question behind which the page may fetch ahead. */
const QUIET = 500

export class Ahead {
  private readonly loader: Loader
  private readonly closing: AbortSignal
  private timer: ReturnType<typeof setTimeout> | undefined
  private wanted: readonly Wanted[] = []
  private isLoading = false

  constructor(loader: Loader, closing: AbortSignal) {
    this.loader = loader
    this.closing = closing
    closing.addEventListener('abort', () => clearTimeout(this.timer))
  }

  /** Fetches these draws next, and more of them where more were wanted before; others that have not begun are not. */
  want(wanted: readonly Wanted[]): void {
    const before = new Map(this.wanted.map((each) => [nameOf(each), each]))
    this.wanted = wanted.map((each) => {
      const other = before.get(nameOf(each))
      return other !== undefined && other.stop > each.stop ? other : each
    })
    clearTimeout(this.timer)
    if (this.isLoading || this.closing.aborted) return
    this.timer = setTimeout(() => void this.load(), QUIET)
  }

  private async load(): Promise<void> {
    const { wanted, closing, loader } = this
    this.isLoading = true
    try {
      for (const each of wanted) await loader.load([each], { urgency: URGENCY.ahead, signal: closing })
    } catch {
      // A failure is of no interest: the draws are asked for again when they are needed.
    } finally {
      this.isLoading = false
    }
    if (this.wanted !== wanted) this.want(this.wanted)
  }
}

function nameOf({ chain, spec, element, first }: Wanted): string {
  return [chain, spec.index, element, first].join('/')
}
