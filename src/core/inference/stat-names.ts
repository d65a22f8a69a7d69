/** Names of sampler stats: ArviZ's for those of PyMC, CmdStan and emcee. */

/** ArviZ's name by a sampler's own, as its converters for that sampler give it. */
const ARVIZ_NAMES: ReadonlyMap<string, string> = new Map([
  // PyMC
  ['model_logp', 'lp'],
  ['mean_tree_accept', 'acceptance_rate'],
  ['depth', 'tree_depth'],
  ['tree_size', 'n_steps'],
  // CmdStan
  ['lp__', 'lp'],
  ['accept_stat__', 'acceptance_rate'],
  ['stepsize__', 'step_size'],
  ['treedepth__', 'tree_depth'],
  ['n_leapfrog__', 'n_steps'],
  ['divergent__', 'diverging'],
  ['energy__', 'energy'],
  // emcee
  ['log_prob', 'lp'],
])

/** Stat under which emcee's backend keeps the state of its random generator. */
const RANDOM_STATE = 'random_state'
const OF_SAMPLER = /^sampler_(\d+)__(.+)$/s

/**
 * The stored stats that make up each of ArviZ's, by its name: one, or one of each sampler of a compound step, in their order.
 * States of random generators are left out.
 */
export function arvizNames(names: Iterable<string>): ReadonlyMap<string, readonly string[]> {
  const parts = [...names].filter((name) => name !== RANDOM_STATE).map((name) => ({ name, ...partsOf(name) }))
  // A stat that has ArviZ's name already takes it before others that would be renamed to it.
  const ordered = [
    ...parts.filter(({ own }) => !ARVIZ_NAMES.has(own)),
    ...parts.filter(({ own }) => ARVIZ_NAMES.has(own)),
  ]
  const grouped = new Map<string, Map<string, Part[]>>()
  const membersOf = (target: string) => {
    const known = grouped.get(target)
    if (known !== undefined) return known
    const members = new Map<string, Part[]>()
    grouped.set(target, members)
    return members
  }
  for (const part of ordered) {
    const target = membersOf(ARVIZ_NAMES.get(part.own) ?? part.own)
    const members = target.has(part.sampler) ? membersOf(part.name) : target
    members.set(part.sampler, [...(members.get(part.sampler) ?? []), part])
  }
  return new Map([...grouped].map(([target, members]) => [target, inOrder([...members.values()].flat())]))
}

/** A stat with the number of its sampler, which is empty where the name has none, and the name that the sampler gave it. */
interface Part {
  readonly name: string
  readonly sampler: string
  readonly own: string
}

function inOrder(members: readonly Part[]): readonly string[] {
  const sorted = members.toSorted((a, b) => compareNumbers(a.sampler, b.sampler) || (a.name < b.name ? -1 : 1))
  return sorted.map(({ name }) => name)
}

/** Numbers of any length; the empty text comes first. */
function compareNumbers(a: string, b: string): number {
  const [x, y] = [a, b].map((digits) => (digits === '' ? -1n : BigInt(digits)))
  return x === y ? 0 : (x ?? -1n) < (y ?? -1n) ? -1 : 1
}

/** The sampler's own name of a stat, without the number that PyMC puts before it. */
export function ownName(name: string): string {
  return partsOf(name).own
}

function partsOf(name: string): { readonly sampler: string; readonly own: string } {
  const [, digits, own = name] = OF_SAMPLER.exec(name) ?? []
  return { sampler: digits === undefined ? '' : String(BigInt(digits)), own }
}
