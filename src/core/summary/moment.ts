/** Moments of a run: the draws of which a summary is made. */
import { McbError } from '../errors.ts'
import { LruMap } from '../lru.ts'
import type { ChainState } from '../store.ts'
import { warmupFlag, warmupIn } from '../warmup.ts'
import type { WarmupChoice } from './question.ts'
import type { DrawSource } from './source.ts'
import type { ChainPart, LeftOutChain } from './summary.ts'

export interface Moment {
  readonly chains: readonly ChainPart[]
  readonly leftOut: readonly LeftOutChain[]
  /** Draws of each chain that are used: the least number that one has. */
  readonly draws: number
  /** Milliseconds since 1970 of the last write to one of the chains. */
  readonly updatedAt: number
}

/** Chains of all runs whose warmup is remembered. */
const KNOWN_CHAINS = 20_000
/** Draws of the flag that are read at once. */
const FLAGS = 1024 * 1024

interface Warmup {
  /** Draws that are warmup, of those seen. */
  readonly draws: number
  /** True where a draw behind them is none: it stays so. */
  readonly isOver: boolean
}

/** Numbers of warmup draws. A chain's only grows, so that no flag is read twice. */
export class Warmups {
  private readonly known = new LruMap<string, Warmup>(KNOWN_CHAINS)

  /** Warmup draws of a chain of this length. */
  async of(source: DrawSource, { chain, length }: ChainState): Promise<number> {
    const spec = warmupFlag(source.schema)
    if (spec === undefined) return 0
    const key = `${source.registration}/${chain}`
    let warmup = this.known.get(key) ?? { draws: 0, isOver: false }
    while (!warmup.isOver && warmup.draws < length) {
      const count = Math.min(FLAGS, length - warmup.draws)
      let found = 0
      for await (const flags of source.read(chain, { spec, elements: [[0, 1]], first: warmup.draws, count })) {
        const more = warmupIn(flags)
        found += more
        if (more < flags.length) break
      }
      warmup = { draws: warmup.draws + found, isOver: found < count }
    }
    this.known.set(key, warmup)
    return Math.min(warmup.draws, length)
  }
}

/** The present moment of a run, with the chains that are asked for, or all that are long enough. */
export async function presentMoment(
  source: DrawSource,
  warmups: Warmups,
  choice: WarmupChoice,
  chains?: readonly number[],
): Promise<Moment> {
  const states = await source.states()
  for (const chain of chains ?? []) {
    if (states.some((state) => state.chain === chain)) continue
    throw new McbError('chain_not_found', `run "${source.rid}" has no chain ${chain}`)
  }
  const chosen = chains === undefined ? states : states.filter(({ chain }) => chains.includes(chain))
  const parts: ChainPart[] = []
  for (const state of chosen) {
    const warmup = await warmups.of(source, state)
    parts.push(partOf(state, warmup, choice))
  }
  const { kept, leftOut } = chains === undefined ? longEnough(parts) : { kept: parts, leftOut: [] }
  const least = kept.reduce((n, { draws }) => Math.min(n, draws), Number.POSITIVE_INFINITY)
  return {
    chains: kept,
    leftOut,
    draws: kept.length === 0 ? 0 : least,
    updatedAt: states.reduce((at, state) => Math.max(at, state.updatedAt), 0),
  }
}

function partOf({ chain, length }: ChainState, warmup: number, choice: WarmupChoice): ChainPart {
  if (choice === 'include') return { chain, first: 0, draws: length, warmup }
  if (choice === 'only') return { chain, first: 0, draws: warmup, warmup }
  return { chain, first: warmup, draws: length - warmup, warmup }
}

/** Chains with at least half the median length: one that lags behind would cost the others their draws. */
export function longEnough<T extends Pick<ChainPart, 'chain' | 'draws'>>(
  parts: readonly T[],
): { kept: T[]; leftOut: LeftOutChain[] } {
  const lengths = parts.map(({ draws }) => draws).sort((a, b) => a - b)
  const middle = lengths.length >> 1
  const high = lengths[middle] ?? 0
  const median = lengths.length % 2 === 1 ? high : (high + (lengths[middle - 1] ?? 0)) / 2
  const kept: T[] = []
  const leftOut: LeftOutChain[] = []
  for (const part of parts) {
    if (part.draws > 0 && 2 * part.draws >= median) kept.push(part)
    else leftOut.push({ chain: part.chain, reason: part.draws === 0 ? 'no_draws' : 'short' })
  }
  return { kept, leftOut }
}
