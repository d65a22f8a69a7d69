/** Progress of a run, and the moment at which it will be done, where its facts tell how many draws are expected. */
import type { About } from '../api/shapes.ts'
import type { ChainNow } from './model.ts'

/** Iterations of each chain. */
export interface Expected {
  readonly draws: number
  readonly warmup: number
}

/** Expected iterations; undefined where the facts tell none. */
export function expectedOf(facts: About['facts']): Expected | undefined {
  const { draws, warmup } = Object(facts.expected)
  const isCount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && Number.isFinite(value)
  if (!isCount(draws)) return undefined
  const expected = { draws, warmup: isCount(warmup) ? warmup : 0 }
  return expected.draws + expected.warmup > 0 ? expected : undefined
}

export interface Progress {
  /** Share of the expected iterations of all chains that are there. */
  readonly share: number
  /** Seconds until the last chain is done; undefined where a chain stands still, or too little was seen. */
  readonly seconds: number | undefined
}

/** @param rateOf draws a second of a chain */
export function progressOf(
  chains: readonly ChainNow[],
  { draws, warmup }: Expected,
  rateOf: (chain: number) => number | undefined,
): Progress {
  const total = draws + warmup
  let [done, seconds] = [0, 0]
  for (const { chain, length } of chains) {
    done += Math.min(length, total)
    const rest = total - length
    if (rest > 0) seconds = Math.max(seconds, rest / (rateOf(chain) ?? Number.NaN))
  }
  return {
    share: chains.length === 0 ? 0 : done / (total * chains.length),
    seconds: Number.isFinite(seconds) ? seconds : undefined,
  }
}

/** Milliseconds after the last draw during which a run counts as live. */
const LIVE_MS = 60_000

/** The state as the server would tell it now: what it told was true when it was asked. */
export function stateOf(
  { state, facts, updatedAt }: Pick<About, 'state' | 'facts' | 'updatedAt'>,
  chains: readonly ChainNow[],
  heardAt: (chain: number) => number | undefined,
  now: number,
): About['state'] {
  if (state === 'done') return state
  const expected = expectedOf(facts)
  const total = expected === undefined ? Number.POSITIVE_INFINITY : expected.draws + expected.warmup
  if (chains.length > 0 && chains.every(({ length }) => length >= total)) return 'done'
  const last = Math.max(Date.parse(updatedAt), ...chains.map(({ chain }) => heardAt(chain) ?? 0))
  return now - last <= LIVE_MS ? 'live' : 'silent'
}
