/** Differences of what runs were registered with, and of what is noted about them. */

/** Parts of a run that are compared, by kind and name: the whole, and a short text of it. */
export interface Described {
  readonly kind: 'variable' | 'sampler stat' | 'coordinate' | 'data' | 'attribute' | 'environment' | 'tags'
  readonly name: string
  /** Equal for equal things alone. */
  readonly whole: string
  readonly text: string
}

export interface Difference {
  readonly kind: Described['kind']
  readonly name: string
  /** One for each run, in their order; undefined where it has none of it. */
  readonly texts: readonly (string | undefined)[]
}

/** Things that are not the same in all runs. A run that cannot be read, which is undefined, does not count. */
export function differencesOf(runs: readonly (readonly Described[] | undefined)[]): readonly Difference[] {
  const things = new Map<string, { readonly first: Described; readonly found: (Described | undefined)[] }>()
  for (const [run, described] of runs.entries()) {
    for (const each of described ?? []) {
      const id = JSON.stringify([each.kind, each.name])
      const thing = things.get(id) ?? { first: each, found: runs.map(() => undefined) }
      things.set(id, thing)
      thing.found[run] ??= each
    }
  }
  return [...things.values()].flatMap(({ first, found }): Difference[] => {
    const counted = found.filter((_each, run) => runs[run] !== undefined)
    if (counted.every((each) => each?.whole === first.whole)) return []
    return [{ kind: first.kind, name: first.name, texts: textsOf(found) }]
  })
}

/** Short texts, told apart where things that differ look the same. */
function textsOf(found: readonly (Described | undefined)[]): readonly (string | undefined)[] {
  const wholes = new Map<string, string[]>()
  for (const each of found) {
    if (each === undefined) continue
    const alike = wholes.get(each.text) ?? []
    if (!alike.includes(each.whole)) alike.push(each.whole)
    wholes.set(each.text, alike)
  }
  return found.map((each) => {
    if (each === undefined) return undefined
    const alike = wholes.get(each.text) ?? []
    return alike.length < 2 ? each.text : `${each.text} (version ${alike.indexOf(each.whole) + 1})`
  })
}
