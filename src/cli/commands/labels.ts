/** Names of elements of a run's column, as heads of a table. */
import type { HttpRun } from '../../client/index.ts'
import type { RigidColumn } from '../../core/draws/elements.ts'
import { ElementNames } from '../../core/draws/labels.ts'

export function labelsOf(run: HttpRun, spec: RigidColumn, indices: readonly number[]): string[] {
  const names = new ElementNames(run.meta)
  return indices.map((index) => names.of(spec, index).label)
}
