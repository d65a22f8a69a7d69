/** Pairs that are worth a look: scalars that tell where divergences are, or that mix worst, or simply the first. */
import type { Checks } from '../../api/shapes.ts'
import { count, rhatText, significant } from '../../paint/number.ts'
import { scalarsOf } from '../../run/scalar-search.ts'
import type { NamedScalar, RunSchema } from '../../run/schema.ts'

export interface Proposed {
  readonly scalar: NamedScalar
  /** The figure for which it is proposed, as `AUC 0.03, small`. */
  readonly why: string | undefined
}

export interface Proposals {
  readonly kind: 'divergences' | 'rhat' | 'first'
  readonly sentence: string
  readonly scalars: readonly Proposed[]
}

/** Scalars of a matrix at most. */
const MOST = 4

export function proposalsOf(schema: RunSchema, checks: Checks | undefined): Proposals {
  const check = (name: string) => checks?.checks.find((each) => each.check === name)
  const divergences = check('divergences')
  const gathering = named(
    schema,
    divergences?.worst ?? [],
    ({ value, at }) => `AUC ${significant(value, 2)}${at === undefined ? '' : `, ${at}`}`,
  )
  const worst = named(
    schema,
    (check('rhat')?.worst ?? []).filter(({ value }) => value !== null),
    ({ value }) => `R-hat ${rhatText(value)}`,
  )
  const first = scalarsOf(schema, MOST).map((scalar): Proposed => ({ scalar, why: undefined }))
  if (gathering.length > 0) {
    const marked = divergences?.chains.reduce((sum, { value }) => sum + value, 0) ?? 0
    return {
      kind: 'divergences',
      sentence: `The scalars that best tell the ${count(marked)} divergent draws from the others, by the area under the curve (AUC): ½ is no better than chance, 1 tells them all.`,
      scalars: distinct([...gathering, ...worst, ...first]),
    }
  }
  if (worst.length > 0) {
    return {
      kind: 'rhat',
      sentence: 'The scalars with the largest R-hat: chains that disagree in one often show why in a pair.',
      scalars: distinct([...worst, ...first]),
    }
  }
  return { kind: 'first', sentence: 'The first scalars of the run.', scalars: distinct(first) }
}

type Named = Checks['checks'][number]['worst'][number]

function named(
  schema: RunSchema,
  worst: readonly Named[],
  why: (figure: Named & { readonly value: number }) => string,
): readonly Proposed[] {
  return worst.flatMap((figure) => {
    const scalar = schema.find(figure.label)
    const { value } = figure
    return scalar?.group !== 'draws' || value === null ? [] : [{ scalar, why: why({ ...figure, value }) }]
  })
}

function distinct(proposed: readonly Proposed[]): readonly Proposed[] {
  const labels = proposed.map(({ scalar }) => scalar.label)
  return proposed.filter(({ scalar }, i) => labels.indexOf(scalar.label) === i).slice(0, MOST)
}

/** The pair that is open: as the address has it, else the first two that are proposed. */
export function pairOf(
  schema: RunSchema,
  { x, y }: Readonly<Record<string, string>>,
  { scalars }: Proposals,
): readonly [x: NamedScalar, y: NamedScalar] | undefined {
  const [first, second] = scalars
  const asked = { x: x === undefined ? undefined : schema.find(x), y: y === undefined ? undefined : schema.find(y) }
  const other = (taken: NamedScalar | undefined) =>
    scalars.find(({ scalar }) => scalar.label !== taken?.label)?.scalar ?? first?.scalar
  const found = {
    x: asked.x ?? (asked.y === undefined ? first?.scalar : other(asked.y)),
    y: asked.y ?? (asked.x === undefined ? second?.scalar : other(asked.x)),
  }
  return found.x === undefined || found.y === undefined ? undefined : [found.x, found.y]
}

/** All pairs among proposed scalars, the best first. */
export function pairsAmong(scalars: readonly Proposed[]): readonly (readonly [Proposed, Proposed])[] {
  return scalars.flatMap((y, j) => scalars.slice(0, j).map((x) => [x, y] as const))
}
