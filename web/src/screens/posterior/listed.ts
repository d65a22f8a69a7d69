/** Scalars that the tab lists: those that the filter finds, at the chosen coordinates. */
import { useSignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import type { RunModel } from '../../run/model.ts'
import { scalarsOf } from '../../run/scalar-search.ts'
import type { NamedScalar, RunSchema } from '../../run/schema.ts'
import { Matching } from '../variables/matching.ts'

/** Scalars that are listed at most: the filter finds others. */
const MOST = 50_000

export interface Listed {
  readonly scalars: readonly NamedScalar[]
  /** False while the filter is at work. */
  readonly isKnown: boolean
  readonly isTooSlow: boolean
}

export function useListed(model: RunModel, schema: RunSchema): Listed {
  const { vars, coords } = model.view.value
  const placed = useMemo(() => atCoords(schema, scalarsOf(schema, MOST), coords), [schema, JSON.stringify(coords)])
  const found = useSignal<{ readonly vars: string; readonly mask: Uint8Array | undefined } | undefined>(undefined)
  const matching = useMemo(() => new Matching(placed.map(({ label }) => label)), [placed])
  useEffect(() => () => matching.close(), [matching])
  useEffect(() => {
    found.value = undefined
    if (vars !== '') matching.find(vars, (mask) => (found.value = { vars, mask }))
  }, [matching, vars])
  if (vars === '') return { scalars: placed, isKnown: true, isTooSlow: false }
  const { value } = found
  if (value?.vars !== vars) return { scalars: [], isKnown: false, isTooSlow: false }
  const { mask } = value
  return { scalars: placed.filter((_each, i) => mask?.[i] === 1), isKnown: true, isTooSlow: mask === undefined }
}

/** Scalars whose variable has the dimensions are those of the chosen labels; others stay. */
function atCoords(
  schema: RunSchema,
  scalars: readonly NamedScalar[],
  coords: readonly (readonly [dim: string, labels: readonly string[]])[],
): readonly NamedScalar[] {
  if (coords.length === 0) return scalars
  return scalars.filter(({ name, index }) => {
    const dims = schema.column('draws', name)?.dims ?? []
    return coords.every(([dim, labels]) => {
      const axis = dims.indexOf(dim)
      const position = index[axis]
      return position === undefined || labels.includes(schema.coordinates.get(dim)?.[position] ?? String(position))
    })
  })
}
