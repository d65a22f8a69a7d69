/** A run as a tree of InferenceData, at one moment. */

import type { Form } from '../core/inference/assemble.ts'
import type { Tree } from '../core/inference/tree.ts'
import type { ChainState } from '../core/store.ts'
import type { StoreBackend, StoreRun } from './backend.ts'
import type { MarkedFacts } from './trees.ts'

export interface TreeOptions {
  readonly form: Form
  /**
   * Chains at a moment, in rising order. By default the present one: of a run that was written within a minute and is not done, only
   * the chains before the first that has no draws yet, so that a chain keeps its place for a reader who opened early.
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
  const chains = states === undefined ? await presentChains(run, all) : withDraws(all)
  const warmups = await backend.warmupOf(run, chains)
  const numbers = new Set(chains.map(({ chain }) => chain))
  const leftOut = all.map(({ chain }) => chain).filter((chain) => !numbers.has(chain))
  return backend.trees.of(run, { form, chains, warmups, leftOut, about: facts })
}

/**
 * The chains that a tree of the present moment has, and those without draws that it names: with these for `states`, it stays the
 * same for ever.
 */
export async function presentStates(run: StoreRun, all: readonly ChainState[]): Promise<readonly ChainState[]> {
  const chosen = new Set(await presentChains(run, all))
  return all.filter((state) => chosen.has(state) || state.length === 0)
}

async function presentChains(run: StoreRun, all: readonly ChainState[]): Promise<readonly ChainState[]> {
  const inPlace = beforeFirstEmpty(all)
  const mayGrow = inPlace.length < all.length && isLive(all) && (await run.about()).state !== 'done'
  return mayGrow ? inPlace : withDraws(all)
}

/** True for chains of which one was written a moment ago. */
export function isLive(states: readonly ChainState[]): boolean {
  const now = Date.now()
  return states.some(({ updatedAt }) => now - updatedAt <= LIVE_MS)
}

function withDraws(states: readonly ChainState[]): readonly ChainState[] {
  return states.filter(({ length }) => length > 0)
}

function beforeFirstEmpty(states: readonly ChainState[]): readonly ChainState[] {
  const end = states.findIndex(({ length }) => length === 0)
  return end < 0 ? states : states.slice(0, end)
}
