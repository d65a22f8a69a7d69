/** Names of elements: `theta[3]`, or `theta[Choate]` where a coordinate has labels for it. */
import type { HttpRun } from '../../client/index.ts'
import type { RigidColumn } from '../../core/draws/elements.ts'
import type { LabelArray } from '../../core/draws/ndarray.ts'
import { isMcbError } from '../../core/errors.ts'

export function labelsOf(run: HttpRun, spec: RigidColumn, indices: readonly number[]): string[] {
  const { shape, name } = spec
  if (shape.length === 0) return indices.map(() => name)
  const dims = (spec.group === 'draws' ? run.dims.get(name) : undefined) ?? []
  const coords = coordsOf(run)
  const axes = shape.map((length, axis) => coordOf(coords.get(dims[axis] ?? ''), length))
  return indices.map((index) => {
    const labels: string[] = []
    let rest = index
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const length = shape[axis] ?? 1
      const at = rest % length
      labels.unshift(String(axes[axis]?.[at] ?? at))
      rest = Math.floor(rest / length)
    }
    return `${name}[${labels.join()}]`
  })
}

/** Labels of an axis: those of a list as long as it. */
function coordOf(values: LabelArray | undefined, length: number): ArrayLike<number | bigint | string> | undefined {
  return values?.shape.length === 1 && values.shape[0] === length ? values.data : undefined
}

/** None where a dtype is not known here. */
function coordsOf(run: HttpRun): ReadonlyMap<string, LabelArray> {
  try {
    return run.coords
  } catch (error) {
    if (isMcbError(error, 'invalid_run_meta')) return new Map()
    throw error
  }
}
