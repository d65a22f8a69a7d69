/** R-hat of all scalars: how many are far from 1, and which. */
import { useMemo } from 'preact/hooks'
import type { Convention } from '../../../../src/core/diagnostics/convention.ts'
import { addressOf } from '../../app/place.ts'
import { count, rhatText } from '../../paint/number.ts'
import { Chart } from '../../parts/chart.tsx'
import type { Plot } from '../../plots/plot.ts'
import { greatest, RHAT_WARN, rhatDistributionPlot } from '../../plots/rhat-distribution.ts'
import type { AllFigures } from '../../run/all-figures.ts'
import type { RunModel } from '../../run/model.ts'
import { pythonFor } from '../../run/python.ts'

const HEIGHT = 200
const WORST = 5
/** Draws of all chains from which on a run is judged, by the checks as well. */
export const LEAST_DRAWS = 100

export function RhatCard({ model, figures }: { readonly model: RunModel; readonly figures: AllFigures | undefined }) {
  const isKnown = figures?.rhat.some((value) => !Number.isNaN(value)) === true
  const { convention } = model.view.value
  const python = pythonFor(model, 'az.plot_convergence_dist(dt, diagnostics=["rhat_rank"])')
  const plot = useMemo(
    () => (figures === undefined ? undefined : plotOf(figures, convention, python)),
    [figures, convention, python],
  )
  return (
    <section class="card rhat" aria-label="R-hat">
      <Chart plot={plot} height={HEIGHT} empty={emptyText(figures, isKnown)} />
      {figures !== undefined && <Worst model={model} figures={figures} />}
    </section>
  )
}

function emptyText(figures: AllFigures | undefined, isKnown: boolean): string | undefined {
  if (figures === undefined) return 'R-hat is being computed …'
  if (figures.draws * figures.chains < LEAST_DRAWS) return 'Too few draws'
  if (isKnown) return undefined
  return figures.isComplete ? 'No scalar has an R-hat: too few draws, or constant' : 'R-hat is being computed …'
}

function plotOf(figures: AllFigures, convention: Convention, python: string): Plot {
  const { rhat, labels } = figures
  return rhatDistributionPlot({
    title: `R-hat of ${labels.length === 1 ? 'the scalar' : `all ${count(labels.length)} scalars`}`,
    rhat,
    label: (place) => labels[place] ?? '',
    note: noteOf(figures, convention),
    python,
  })
}

function noteOf({ rhat, draws, chains, at, isComplete }: AllFigures, convention: Convention): string {
  const without = rhat.reduce((sum, value) => sum + Number(Number.isNaN(value)), 0)
  return [
    `${chains} × ${count(draws)} draws, ${new Date(at).toLocaleTimeString([], { hour12: false })}`,
    convention === 'arviz' ? 'as ArviZ' : 'as R’s posterior',
    ...(without === 0 ? [] : [`${count(without)} ${isComplete ? 'without R-hat' : 'to come'}`]),
  ].join(' · ')
}

function Worst({
  model,
  figures: { rhat, labels, draws, chains },
}: {
  readonly model: RunModel
  readonly figures: AllFigures
}) {
  if (draws * chains < LEAST_DRAWS) return null
  const worst = greatest(rhat, WORST).filter((place) => (rhat[place] as number) > RHAT_WARN)
  if (worst.length === 0) return null
  const view = model.view.value
  return (
    <p class="worst">
      Worst:{' '}
      {worst.map((place) => {
        const label = labels[place] ?? ''
        const at = { ...view, tab: 'variables', sel: label } as const
        const value = rhat[place] as number
        return (
          <a key={label} href={addressOf({ screen: 'run', rid: model.rid, view: at })}>
            {label} {Number.isFinite(value) ? rhatText(value) : '∞'}
          </a>
        )
      })}
    </p>
  )
}
