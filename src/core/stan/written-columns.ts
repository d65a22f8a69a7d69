/** The columns of a run as Stan would name them: sampler stats under Stan's names, then variables, element by element. */
import { statsCalled } from '../diagnostics/checks/stat-names.ts'
import type { RigidNumbers, Schema } from '../draws/columns.ts'
import { warmupFlag } from '../warmup.ts'
import { isStat } from './columns.ts'

/** Stan's stats in its own order, and ArviZ's names of the same. */
const STATS: readonly (readonly [stan: string, arviz: string])[] = [
  ['lp__', 'lp'],
  ['accept_stat__', 'acceptance_rate'],
  ['stepsize__', 'step_size'],
  ['treedepth__', 'tree_depth'],
  ['n_leapfrog__', 'n_steps'],
  ['divergent__', 'diverging'],
  ['energy__', 'energy'],
]
/** Stats that Stan's approximations write. */
const OTHERS = ['log_p__', 'log_g__', 'path__', 'log_q__'] as const

export interface WrittenColumn {
  readonly spec: RigidNumbers
  /** The name before indices. */
  readonly name: string
  /** Text behind the indices: `.real` or `.imag`. */
  readonly ending: string
}

export interface WrittenColumns {
  readonly stats: readonly WrittenColumn[]
  readonly draws: readonly WrittenColumn[]
  /** Names of variables and stats that have no place in the file. */
  readonly leftOut: readonly string[]
}

export function writtenColumns(schema: Schema): WrittenColumns {
  const stats: WrittenColumn[] = []
  for (const [name, arviz] of STATS) {
    const [spec] = statsCalled(arviz, schema)
    if (spec !== undefined) stats.push({ spec, name, ending: '' })
  }
  for (const name of OTHERS) {
    const spec = schema.stats.get(name)
    if (spec?.kind === 'rigid-numbers' && spec.elements === 1) stats.push({ spec, name, ending: '' })
  }
  // The order of the rows, and the settings, tell what is warmup.
  const given = new Set([...stats.map(({ spec }) => spec.name), warmupFlag(schema)?.name])
  const leftOut = [...schema.stats.keys()].filter((name) => !given.has(name))
  const draws: WrittenColumn[] = []
  const taken = new Set<string>()
  for (const spec of schema.draws.values()) {
    if (spec.kind === 'rigid-numbers' && spec.elements > 0) draws.push({ spec, ...safeName(spec.name, taken) })
    else leftOut.push(spec.name)
  }
  return { stats, draws, leftOut }
}

/**
 * A name that every reader of Stan's files takes as the name of one variable: letters, digits and underscores, of which a
 * variable has not two at its end. Any other sign becomes an underscore, and a number stands behind a name that another one has.
 */
function safeName(name: string, taken: Set<string>): { readonly name: string; readonly ending: string } {
  const [, root = name, ending = ''] = /^(.+)(\.real|\.imag)$/su.exec(name) ?? []
  let safe = root.replace(/[^\p{L}\p{M}\p{N}_]/gu, '_')
  if (ending === '' && isStat(safe)) safe = `${safe.replace(/_+$/, '')}_`
  let unique = safe
  for (let n = 2; taken.has(`${unique}${ending}`); n++) unique = `${safe}_${n}`
  taken.add(`${unique}${ending}`)
  return { name: unique, ending }
}

/** Columns of the file whose names are not those of the run. */
export function renamed({ draws }: WrittenColumns): readonly WrittenColumn[] {
  return draws.filter(({ spec, name, ending }) => spec.name !== `${name}${ending}`)
}

/**
 * Visits the elements of a shape in the order of Stan, the first index fastest: indices that count from 0, and the place in C
 * order.
 */
export function* stanOrder(
  shape: readonly number[],
): Generator<{ readonly index: readonly number[]; readonly place: number }> {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((n, length) => n * length, 1))
  const index = shape.map(() => 0)
  const total = shape.reduce((n, length) => n * length, 1)
  let place = 0
  for (let i = 0; i < total; i++) {
    yield { index, place }
    for (let axis = 0; axis < shape.length; axis++) {
      const next = (index[axis] ?? 0) + 1
      const length = shape[axis] ?? 1
      place += strides[axis] ?? 0
      index[axis] = next === length ? 0 : next
      if (next < length) break
      place -= length * (strides[axis] ?? 0)
    }
  }
}
