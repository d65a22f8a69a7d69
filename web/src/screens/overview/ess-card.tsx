/** ESS that grows with the draws, the size that is wanted, and when it will be there. */

import { useMemo } from 'preact/hooks'
import type { Diagnostics } from '../../api/shapes.ts'
import { show } from '../../app/navigate.ts'
import type { Evolution } from '../../draws/questions.ts'
import { count } from '../../paint/number.ts'
import { Chart } from '../../parts/chart.tsx'
import { essEvolutionPlot } from '../../plots/ess-evolution.ts'
import type { AllFigures } from '../../run/all-figures.ts'
import { useClock } from '../../run/clock.ts'
import type { RunModel } from '../../run/model.ts'
import { type EssPoint, type Outlook, outlookOf, targetOf } from '../../run/outlook.ts'
import { pythonFor } from '../../run/python.ts'
import { pythonChoice } from '../../run/python-lines.ts'
import type { NamedScalar, RunSchema } from '../../run/schema.ts'
import { useDraws } from '../../run/use-draws.ts'
import { LEAST_DRAWS } from './rhat-card.tsx'

const HEIGHT = 200
const POINTS = 20

export function EssCard({ model, figures }: { readonly model: RunModel; readonly figures: AllFigures | undefined }) {
  const [bulk, tail] = useWorst(model, figures)
  const evolution = useEvolution(model, bulk, tail)
  const chains = Math.max(1, model.shownChains.value.length)
  const target = targetOf(model.view.value.more.target, chains)
  const past = model.told.value
  const told = useMemo(() => toldOf(past, chains), [past, chains])
  const shown = evolution ?? told
  const note = noteOf(model, bulk, tail)
  const python = pythonOf(model, bulk, tail, target)
  const draw = () =>
    shown.draws.length === 0
      ? undefined
      : essEvolutionPlot({
          title: 'Least ESS as draws come',
          label: namesOf(bulk, tail),
          evolution: shown,
          told: evolution === undefined ? undefined : told,
          target,
          note,
          python,
        })
  const plot = useMemo(draw, [shown, told, target, note, python])
  const isShort = figures !== undefined && figures.draws * figures.chains < LEAST_DRAWS
  // A single figure that was told before is no growth yet.
  const isEarly = figures === undefined && shown.draws.length < 2
  const empty = isShort ? 'Too few draws' : plot === undefined || isEarly ? emptyText(figures) : undefined
  return (
    <section class="card ess" aria-label="Effective sample size">
      <Chart plot={plot} height={HEIGHT} empty={empty} />
      {!isShort && <Goal model={model} target={target} chains={chains} shown={shown} />}
    </section>
  )
}

function namesOf(bulk: NamedScalar | undefined, tail: NamedScalar | undefined): string {
  const names = new Set([bulk, tail].flatMap((scalar) => (scalar === undefined ? [] : [scalar.label])))
  return names.size === 0 ? 'the worst scalars' : [...names].join(' and ')
}

function pythonOf(
  model: RunModel,
  bulk: NamedScalar | undefined,
  tail: NamedScalar | undefined,
  target: number,
): string | undefined {
  const schema = model.schema.value
  const scalars = [bulk, tail].filter((scalar) => scalar !== undefined)
  if (schema === undefined || scalars.length === 0) return undefined
  return pythonFor(model, `az.plot_ess_evolution(dt, ${pythonChoice(schema, scalars)}, min_ess=${target})`)
}

/** The scalars with the least bulk and the least tail ESS. */
function useWorst(
  model: RunModel,
  figures: AllFigures | undefined,
): readonly [NamedScalar | undefined, NamedScalar | undefined] {
  const schema = model.schema.value
  if (schema === undefined) return [undefined, undefined]
  if (figures === undefined) {
    const [first] = model.checks.value?.checks.find(({ check }) => check === 'ess')?.worst ?? []
    const scalar = first === undefined ? undefined : schema.find(first.label)
    return [scalar, scalar]
  }
  return [worstOf(schema, figures, figures.bulk), worstOf(schema, figures, figures.tail)]
}

function worstOf(schema: RunSchema, { labels }: AllFigures, values: Float64Array): NamedScalar | undefined {
  let [least, place] = [Number.POSITIVE_INFINITY, -1]
  for (const [i, value] of values.entries()) {
    if (value < least) [least, place] = [value, i]
  }
  return schema.find(labels[place] ?? '')
}

/** Bulk ESS of one scalar and tail ESS of another, at the same draws. */
function useEvolution(
  model: RunModel,
  bulk: NamedScalar | undefined,
  tail: NamedScalar | undefined,
): Evolution | undefined {
  const choice = model.choice.value
  const { convention } = model.view.value
  const question = (scalar: NamedScalar | undefined) =>
    scalar === undefined ? undefined : { scalar, choice, convention, points: POINTS }
  const { answer: first } = useDraws(model, 'essEvolution', question(bulk))
  const { answer: second } = useDraws(model, 'essEvolution', question(tail?.label === bulk?.label ? undefined : tail))
  return useMemo(() => {
    if (first === undefined || first.draws.length === 0) return undefined
    const isSame = second?.draws.length === first.draws.length
    return { draws: first.draws, bulk: first.bulk, tail: isSame ? second.tail : first.tail }
  }, [first, second])
}

/** Least ESS of all scalars as they were told. */
function toldOf(told: readonly Diagnostics[], chains: number): Evolution {
  const column = (figure: (each: Diagnostics) => number | null) =>
    Float64Array.from(told, (each) => figure(each) ?? Number.NaN)
  return {
    draws: column(({ draws }) => draws * chains),
    bulk: column(({ essBulk }) => essBulk),
    tail: column(({ essTail }) => essTail),
  }
}

function useOutlook(model: RunModel, target: number, { draws, bulk, tail }: Evolution): Outlook {
  const now = useClock()
  const points = [...draws].map(
    (each, i): EssPoint => ({ draws: each, ess: Math.min(bulk[i] ?? Number.NaN, tail[i] ?? Number.NaN) }),
  )
  const rates = model.shownChains.value.map(({ chain }) => model.rates.of(chain, now) ?? 0)
  return outlookOf({
    target,
    points,
    rhat: model.diagnostics.value?.rhat ?? undefined,
    rate: rates.reduce((a, b) => a + b, 0),
    isDone: model.about.value?.state === 'done',
  })
}

function emptyText(figures: AllFigures | undefined): string {
  return figures === undefined || !figures.isComplete ? 'ESS is being computed …' : 'Too few draws for an ESS'
}

function noteOf(model: RunModel, bulk: NamedScalar | undefined, tail: NamedScalar | undefined): string {
  const { convention } = model.view.value
  return [
    ...(bulk === undefined ? [] : [`bulk of ${bulk.label}`]),
    ...(tail === undefined ? [] : [`tail of ${tail.label}`]),
    convention === 'arviz' ? 'as ArviZ' : 'as R’s posterior',
  ].join(' · ')
}

interface GoalProps {
  readonly model: RunModel
  readonly target: number
  readonly chains: number
  readonly shown: Evolution
}

const SIGNS = { reached: '✓', coming: '…', 'not yet': '!', unknown: '?' } as const

function Goal({ model, target, chains, shown }: GoalProps) {
  const outlook = useOutlook(model, target, shown)
  const choose = (text: string) => {
    const { target: _old, ...others } = model.view.value.more
    show({ more: Number(text) >= 1 ? { ...others, target: text } : others })
  }
  return (
    <p class="goal">
      <strong class={`outlook ${outlook.state.replace(' ', '-')}`}>
        <span aria-hidden="true">{SIGNS[outlook.state]}</span> {outlook.text}
      </strong>
      <span class="gap" />
      <label>
        Target{' '}
        <input
          type="number"
          min="1"
          step="100"
          value={target}
          onChange={(event) => choose(event.currentTarget.value)}
        />
      </label>
      {target !== 100 * chains && (
        <button type="button" class="quiet" onClick={() => choose(String(100 * chains))}>
          100 a chain ({count(100 * chains)})
        </button>
      )}
    </p>
  )
}
