/** R-hat of all scalars: how many are far from 1, and which. */
import { addressOf } from '../../app/place.ts'
import { count, rhatText } from '../../paint/number.ts'
import { Chart } from '../../parts/chart.tsx'
import { greatest, RHAT_WARN, rhatDistributionPlot } from '../../plots/rhat-distribution.ts'
import type { AllFigures } from '../../run/all-figures.ts'
import type { RunModel } from '../../run/model.ts'
import { pythonFor } from '../../run/python.ts'

const HEIGHT = 200
const WORST = 5

export function RhatCard({ model, figures }: { readonly model: RunModel; readonly figures: AllFigures | undefined }) {
  const isKnown = figures?.rhat.some((value) => !Number.isNaN(value)) === true
  const plot =
    figures === undefined
      ? undefined
      : rhatDistributionPlot({
          title: `R-hat of ${figures.labels.length === 1 ? 'the scalar' : `all ${count(figures.labels.length)} scalars`}`,
          rhat: figures.rhat,
          label: (place) => figures.labels[place] ?? '',
          note: noteOf(model, figures),
          python: pythonFor(model, 'az.plot_convergence_dist(dt, diagnostics=["rhat_rank"])'),
        })
  return (
    <section class="card rhat" aria-label="R-hat">
      <Chart plot={plot} height={HEIGHT} empty={emptyText(figures, isKnown)} />
      {figures !== undefined && <Worst model={model} figures={figures} />}
    </section>
  )
}

function emptyText(figures: AllFigures | undefined, isKnown: boolean): string | undefined {
  if (figures === undefined) return 'R-hat is being computed …'
  if (isKnown) return undefined
  return figures.isComplete ? 'No scalar has an R-hat: too few draws, or constant' : 'R-hat is being computed …'
}

function noteOf(model: RunModel, { rhat, draws, chains, at, isComplete }: AllFigures): string {
  const without = rhat.reduce((sum, value) => sum + Number(Number.isNaN(value)), 0)
  const { convention } = model.view.value
  return [
    `${chains} × ${count(draws)} draws, ${new Date(at).toLocaleTimeString([], { hour12: false })}`,
    convention === 'arviz' ? 'as ArviZ' : 'as R’s posterior',
    ...(without === 0 ? [] : [`${count(without)} ${isComplete ? 'without R-hat' : 'to come'}`]),
  ].join(' · ')
}

function Worst({ model, figures: { rhat, labels } }: { readonly model: RunModel; readonly figures: AllFigures }) {
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
