/** Sampler stats that checks look at, by every name that samplers have for them. */
import type { RigidNumbers, Schema } from '../../draws/columns.ts'

/** A sampler's own names, and ArviZ's for the same: of PyMC, Stan, nutpie, NumPyro, BlackJAX and emcee. */
export const ARVIZ_NAMES: ReadonlyMap<string, string> = new Map([
  // PyMC and nutpie
  ['depth', 'tree_depth'],
  ['tree_size', 'n_steps'],
  ['mean_tree_accept', 'acceptance_rate'],
  ['maxdepth_reached', 'reached_max_treedepth'],
  ['model_logp', 'lp'],
  ['logp', 'lp'],
  // Stan
  ['divergent__', 'diverging'],
  ['energy__', 'energy'],
  ['treedepth__', 'tree_depth'],
  ['n_leapfrog__', 'n_steps'],
  ['stepsize__', 'step_size'],
  ['accept_stat__', 'acceptance_rate'],
  ['lp__', 'lp'],
  // NumPyro and BlackJAX
  ['num_steps', 'n_steps'],
  ['accept_prob', 'acceptance_rate'],
  ['is_divergent', 'diverging'],
  ['num_integration_steps', 'n_steps'],
  // emcee
  ['log_prob', 'lp'],
])

/** A number that PyMC puts before the stats of a sampler, of which a compound step has several. */
const OF_SAMPLER = /^sampler_(\d+)__(?=.)/s

/** ArviZ's name of a stat, or its own where ArviZ has none. */
export function arvizName(name: string): string {
  const own = name.replace(OF_SAMPLER, '')
  return ARVIZ_NAMES.get(own) ?? own
}

/** The number of the sampler within a compound one; undefined where the name has none. */
export function samplerOf(name: string): number | undefined {
  const number = OF_SAMPLER.exec(name)?.[1]
  return number === undefined ? undefined : Number(number)
}

/**
 * Stats of one number a draw that ArviZ calls by this name: those of each sampler of a compound one. A stat that has the name
 * itself takes it before those of other names from the same sampler.
 */
export function statsCalled(arviz: string, { stats }: Pick<Schema, 'stats'>): RigidNumbers[] {
  const found = new Map<number, RigidNumbers>()
  for (const spec of stats.values()) {
    if (spec.kind !== 'rigid-numbers' || spec.elements !== 1 || arvizName(spec.name) !== arviz) continue
    const sampler = samplerOf(spec.name) ?? -1
    const isItself = spec.name.replace(OF_SAMPLER, '') === arviz
    if (isItself || !found.has(sampler)) found.set(sampler, spec)
  }
  return [...found.values()]
}
