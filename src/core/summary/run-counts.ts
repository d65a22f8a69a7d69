/** Counts of a whole run, exact for the draws that it has: of divergences, and of each scalar its mean and extremes. */
import { statsCalled } from '../diagnostics/checks/stat-names.ts'
import type { Counters } from '../diagnostics/counters.ts'
import type { RigidNumbers, Schema } from '../draws/columns.ts'
import type { Counts } from './counts.ts'
import type { Warmups } from './moment.ts'
import type { DrawSource } from './source.ts'

/** Mean and extremes of a scalar variable or stat; null where no draw is finite. */
export type ScalarCounts = {
  readonly mean: number | null
  readonly least: number | null
  readonly greatest: number | null
  /** Draws that are NaN or infinite. */
  readonly notFinite: number
}

/** All of it is of draws behind warmup. */
export type RunCounts = {
  /** Draws of all chains, and warmup draws. */
  readonly draws: number
  readonly warmup: number
  /** Null where no stat tells them. */
  readonly divergences: number | null
  /** The first scalar variables, and the first scalar stats, by name. */
  readonly variables: Readonly<Record<string, ScalarCounts>>
  readonly stats: Readonly<Record<string, ScalarCounts>>
}

/** Scalar variables, and scalar stats, whose means and extremes are told: those of a screen. */
const SHOWN = 12

/** Counters of some columns, by chain. */
type Counted = ReadonlyMap<RigidNumbers, readonly Counters[]>

/** Counts a run as it is now; draws that were counted before are not read again. @throws McbError `run_not_found` */
export async function countRun(source: DrawSource, warmups: Warmups, counts: Counts): Promise<RunCounts> {
  const flags = statsCalled('diverging', source.schema)
  const [variables, stats] = [shownOf(source.schema.draws), shownOf(source.schema.stats)]
  const counted = new Map([...flags, ...variables, ...stats].map((spec): [RigidNumbers, Counters[]] => [spec, []]))
  let [draws, warmup] = [0, 0]
  for (const state of await source.states()) {
    const first = await warmups.of(source, state)
    warmup += first
    draws += state.length - first
    // A chain in its warmup has nothing to count, and does not yet know from where on.
    if (first === state.length) continue
    for (const [spec, chains] of counted) chains.push(await counts.of(source, state, spec, first))
  }
  return {
    draws,
    warmup,
    divergences: flags.length === 0 ? null : divergencesOf(flags, counted),
    variables: Object.fromEntries(variables.map((spec) => [spec.name, scalarOf(counted.get(spec) ?? [])])),
    stats: Object.fromEntries(stats.map((spec) => [spec.name, scalarOf(counted.get(spec) ?? [])])),
  }
}

/** Parts of a compound sampler each tell their own: a draw of which two diverge counts twice. */
function divergencesOf(flags: readonly RigidNumbers[], counted: Counted): number {
  const counters = flags.flatMap((spec) => counted.get(spec) ?? [])
  return counters.reduce((sum, { notZero }) => sum + (notZero[0] ?? 0), 0)
}

function shownOf(columns: Schema['draws']): RigidNumbers[] {
  const scalars: RigidNumbers[] = []
  for (const spec of columns.values()) {
    if (spec.kind === 'rigid-numbers' && spec.shape.length === 0) scalars.push(spec)
    if (scalars.length === SHOWN) break
  }
  return scalars
}

function scalarOf(chains: readonly Counters[]): ScalarCounts {
  const notFinite = chains.reduce((sum, each) => sum + (each.notFinite[0] ?? 0), 0)
  const finite = chains.reduce((sum, { draws }) => sum + draws, 0) - notFinite
  if (finite === 0) return { mean: null, least: null, greatest: null, notFinite }
  const total = chains.reduce((sum, each) => sum + each.total(0), 0)
  return {
    mean: finiteOrNull(total / finite),
    least: Math.min(...chains.map(({ least }) => least[0] ?? Number.POSITIVE_INFINITY)),
    greatest: Math.max(...chains.map(({ greatest }) => greatest[0] ?? Number.NEGATIVE_INFINITY)),
    notFinite,
  }
}

/** A sum of large numbers may be beyond a double. */
function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
