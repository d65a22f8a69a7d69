/** Chains of a run as they are known: lengths as they are told, and warmup, of which no flag is asked for twice. */
import type { RigidNumbers } from '../../../src/core/draws/columns.ts'
import { longEnough } from '../../../src/core/summary/moment.ts'
import type { Loader, Waiting } from './loader.ts'
import type { Choice } from './questions.ts'

/** Draws of one chain that are chosen: iterations `first` to before `stop`. */
export interface Part {
  readonly chain: number
  readonly first: number
  readonly stop: number
  /** Draws of warmup at the chain's beginning. */
  readonly warmup: number
  /** All draws of the chain. */
  readonly length: number
}

/** Draws that figures are of: as many of each chain. */
export interface Moment {
  readonly parts: readonly Part[]
  /** Draws of each chain. */
  readonly draws: number
}

interface Warmup {
  /** Draws that are warmup, of those seen. */
  readonly draws: number
  /** True where a draw behind them is none: it stays so. */
  readonly isOver: boolean
}

/** Flags that are fetched at first, and at most, at once. */
const FIRST_FLAGS = 16 * 1024
const MOST_FLAGS = 1024 * 1024

export class Chains {
  private readonly loader: Loader
  private readonly flag: RigidNumbers | undefined
  private readonly warmups = new Map<number, Warmup>()
  private lengths: ReadonlyMap<number, number> = new Map()

  constructor(loader: Loader, flag: RigidNumbers | undefined) {
    this.loader = loader
    this.flag = flag
  }

  /** Takes new lengths; a chain never gets shorter. */
  grow(lengths: ReadonlyMap<number, number>): void {
    const merged = new Map(this.lengths)
    for (const [chain, length] of lengths) merged.set(chain, Math.max(length, merged.get(chain) ?? 0))
    this.lengths = merged
  }

  /** The chosen draws of each chain, however many it has, by number. */
  async parts(choice: Choice, waiting: Waiting): Promise<Part[]> {
    const { lengths } = this
    const chosen = choice.chains ?? [...lengths.keys()]
    const known = [...new Set(chosen)].filter((chain) => lengths.has(chain)).sort((a, b) => a - b)
    return Promise.all(
      known.map(async (chain) => {
        const length = lengths.get(chain) ?? 0
        const warmup = await this.warmup(chain, length, waiting)
        const first = Math.min(length, Math.max(choice.start ?? 0, choice.warmup === 'exclude' ? warmup : 0))
        const stop = Math.max(first, Math.min(length, choice.stop ?? length))
        return { chain, first, stop, warmup, length }
      }),
    )
  }

  /** Draws for figures, by the rule of summaries: the same number of each chain that is long enough, or that is named. */
  async moment(choice: Choice, waiting: Waiting): Promise<Moment> {
    const parts = await this.parts(choice, waiting)
    const sized = parts.map((part) => ({ ...part, draws: part.stop - part.first }))
    const kept = choice.chains === undefined ? longEnough(sized).kept : sized
    const draws = kept.length === 0 ? 0 : Math.min(...kept.map((part) => part.draws))
    return { parts: kept.map((part) => ({ ...part, stop: part.first + draws })), draws }
  }

  private async warmup(chain: number, length: number, waiting: Waiting): Promise<number> {
    const { flag: spec } = this
    if (spec === undefined) return 0
    let known = this.warmups.get(chain) ?? { draws: 0, isOver: false }
    for (let most = FIRST_FLAGS; !known.isOver && known.draws < length; most = Math.min(MOST_FLAGS, 4 * most)) {
      const start = known.draws
      const stop = Math.min(length, start + most)
      const [flags] = await this.loader.load([{ chain, spec, element: 0, first: 0, start, stop }], waiting)
      const end = flags?.findIndex((value) => value !== 1) ?? -1
      known = end < 0 ? { draws: stop, isOver: false } : { draws: start + end, isOver: true }
    }
    const before = this.warmups.get(chain)
    if (before === undefined || before.draws <= known.draws) this.warmups.set(chain, known)
    return Math.min(known.draws, length)
  }
}
