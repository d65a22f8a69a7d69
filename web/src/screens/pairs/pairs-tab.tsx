/** The tab Pairs of a run: two scalars against each other, and those that are worth a look. */
import { useMemo, useRef } from 'preact/hooks'
import { count } from '../../paint/number.ts'
import type { RunModel } from '../../run/model.ts'
import type { NamedScalar, RunSchema } from '../../run/schema.ts'
import { Matrix } from './matrix.tsx'
import { OpenPair } from './open-pair.tsx'
import './pairs.css'
import { type Proposals, pairOf, proposalsOf } from './proposals.ts'

export function PairsTab({ model }: { readonly model: RunModel }) {
  const schema = model.schema.value
  const scalars = schema?.countOf('draws') ?? 0
  if (schema === undefined) return null
  if (scalars < 2) {
    return (
      <p class="card">
        {scalars === 0 ? 'This run has no scalars' : 'This run has one scalar'}, and a pair takes two. Strings and
        arrays whose shape varies have none.
      </p>
    )
  }
  return <Pairs model={model} schema={schema} />
}

function Pairs({ model, schema }: { readonly model: RunModel; readonly schema: RunSchema }) {
  const checks = model.checks.value
  const proposals = useMemo(() => proposalsOf(schema, checks), [schema, checks])
  const { more } = model.view.value
  const pair = useSteady(proposals, pairOf(schema, more, proposals), more.x !== undefined || more.y !== undefined)
  const unknown = [more.x, more.y].filter((label) => label !== undefined && schema.find(label) === undefined)
  return (
    <div class="pairs">
      <div class="card pairs-open">
        {unknown.length > 0 && <p role="status">The run has no “{unknown.join('” and no “')}”.</p>}
        {pair !== undefined && <OpenPair model={model} schema={schema} pair={pair} />}
      </div>
      <section class="card pairs-proposed" aria-labelledby="pairs-proposed">
        <h2 id="pairs-proposed">Proposed</h2>
        <p class="quiet-text">{proposals.sentence}</p>
        <ol>
          {proposals.scalars.map(({ scalar, why }) => (
            <li key={scalar.label}>
              {scalar.label} {why !== undefined && <span class="quiet-text">{why}</span>}
            </li>
          ))}
        </ol>
        <Matrix model={model} proposals={proposals} />
        {schema.countOf('draws') > proposals.scalars.length && (
          <p class="quiet-text">Choose any of {count(schema.countOf('draws'))} scalars at x and y.</p>
        )}
      </section>
    </div>
  )
}

const RANKS: Readonly<Record<Proposals['kind'], number>> = { first: 0, rhat: 1, divergences: 2 }

type Pair = readonly [x: NamedScalar, y: NamedScalar]

/** A proposed pair stays open as figures change, until there is a better reason to propose another. */
function useSteady(proposals: Proposals, pair: Pair | undefined, isAsked: boolean): Pair | undefined {
  const kept = useRef<{ readonly rank: number; readonly pair: Pair } | undefined>(undefined)
  const rank = RANKS[proposals.kind]
  if (isAsked || pair === undefined) {
    kept.current = undefined
    return pair
  }
  if (kept.current === undefined || kept.current.rank < rank) kept.current = { rank, pair }
  return kept.current.pair
}
