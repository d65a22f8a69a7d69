/** The log density of a run, or what stands in for it. */
import { arvizName, samplerOf } from '../../../../src/core/diagnostics/checks/stat-names.ts'
import type { NamedScalar, RunSchema } from '../../run/schema.ts'

export interface LpScalar {
  readonly scalar: NamedScalar
  /** `lp` for a log density; `first` where the run has none, for its first variable. */
  readonly kind: 'lp' | 'first'
}

/** The stat or variable that samplers have for it; a stat of that name itself goes before those of other names. */
export function lpOf(schema: RunSchema): LpScalar | undefined {
  const scalars = schema.columns.filter((column) => column.scalars === 1)
  const called = scalars
    .filter(({ name }) => arvizName(name) === 'lp')
    .sort((a, b) => rank(a.group, a.name) - rank(b.group, b.name))
  const [lp] = called
  if (lp !== undefined) return { scalar: schema.scalar(lp.group, lp.name, 0), kind: 'lp' }
  const first = scalars.find(({ group }) => group === 'draws') ?? schema.numeric.find(({ group }) => group === 'draws')
  return first === undefined ? undefined : { scalar: schema.scalar('draws', first.name, 0), kind: 'first' }
}

function rank(group: 'draws' | 'stats', name: string): number {
  return (group === 'stats' ? 0 : 4) + (name === 'lp' ? 0 : samplerOf(name) === undefined ? 1 : 2)
}
