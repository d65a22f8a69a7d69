/** A run as a tree of InferenceData, at one moment. */

import type { Form } from '../core/inference/assemble.ts'
import type { Tree } from '../core/inference/tree.ts'
import type { ChainState } from '../core/store.ts'
import type { StoreBackend, StoreRun } from './backend.ts'
import type { MarkedFacts } from './trees.ts'

export interface TreeOptions {
  readonly form: Form
  /**
   * Chains at a moment, in rising order. By default the present one: of a run that was written within a minute, only the chains
   * before the first that has no draws or is not there yet, so that the place of a chain stays what it was for a reader who opened early.
   */
  readonly states?: readonly ChainState[] | undefined
  /** Facts that attributes tell of. Without them, the tree depends on the registration and the lengths alone. */
  readonly about?: MarkedFacts | Promise<MarkedFacts> | undefined
}

/** Milliseconds behind the last write for which a run is taken to grow still. */
const LIVE_MS = 60_000

/**
 * The tree of a run, with the names, dtypes and groups of the Python client's `to_datatree(chains="all")`. One moment gives the
 * same object as long as it is kept.
 *
 * @throws McbError `run_not_found`
 */
export async function inferenceTree(
  run: StoreRun,
  backend: StoreBackend,
  { form, states, about }: TreeOptions,
): Promise<Tree> {
  const [all, facts] = await Promise.all([states ?? run.chainStates(), about])
  const chains = chosenChains(all, states === undefined && isLive(all) ? 'live' : 'past')
  const warmups = await backend.warmupOf(run, chains)
  const numbers = new Set(chains.map(({ chain }) => chain))
  const leftOut = all.map(({ chain }) => chain).filter((chain) => !numbers.has(chain))
  return backend.trees.of(run, { form, chains, warmups, leftOut, about: facts })
}

/**
 * The chains at the present moment that a tree is of, and those without draws that it names: with these for `states`, it stays the
 * same for ever.
 */
export function presentStates(all: readonly ChainState[]): readonly ChainState[] {
  const chosen = new Set(chosenChains(all, isLive(all) ? 'live' : 'past'))
  return all.filter((state) => chosen.has(state) || state.length === 0)
}

/** True for a run that was written a moment ago. */
export function isLive(states: readonly ChainState[]): boolean {
  const now = Date.now()
  return states.some(({ updatedAt }) => now - updatedAt <= LIVE_MS)
}

function chosenChains(states: readonly ChainState[], moment: 'live' | 'past'): readonly ChainState[] {
  if (moment === 'past') return states.filter(({ length }) => length > 0)
  const first = states[0]?.chain ?? 0
  const end = states.findIndex(({ chain, length }, i) => length === 0 || chain !== first + i)
  return end < 0 ? states : states.slice(0, end)
}
