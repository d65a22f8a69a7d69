/** Acceptance rates: their distribution, and the mean of each chain beside what warmup aims at. */
import { useMemo } from 'preact/hooks'
import { significant } from '../../paint/number.ts'
import { Chart } from '../../parts/chart.tsx'
import { chainDotsPlot } from '../../plots/chain-dots.ts'
import { densityPlot } from '../../plots/density.ts'
import { pythonFor, pythonForScalars } from '../../run/python.ts'
import { useDraws } from '../../run/use-draws.ts'
import { targetOf } from './settings.ts'
import { allChains, drawsNote, HEIGHT, refOf, type StatProps } from './shown.ts'

/** Draws of a chain that have a density. */
const FEW = 20

export function AcceptanceCard({ model, stat, sampler }: StatProps) {
  const choice = model.choice.value
  const { answer, error } = useDraws(model, 'density', { scalar: refOf(stat), choice, points: 200 })
  const { answer: means } = useDraws(model, 'chainMeans', { scalar: refOf(stat), choice })
  const all = allChains(model)
  const target = targetOf(model.about.value, sampler)
  const draws = means?.[0]?.draws ?? 0
  const density = useMemo(
    () =>
      answer &&
      densityPlot({
        ...{ label: 'acceptance rate', density: answer, all, note: drawsNote(draws, answer.chains.length) },
        python: pythonForScalars(model, 'plot_dist', [stat]),
      }),
    [answer, draws, all.join()],
  )
  const dots = useMemo(
    () =>
      means &&
      chainDotsPlot({
        ...{ title: 'Mean of each chain', label: 'mean acceptance rate', all, shown: [0, 1] },
        figures: means.map(({ chain, mean }) => ({ chain, value: mean })),
        thresholds:
          target === undefined ? [] : [{ value: target, label: `target ${significant(target)}`, status: 'none' }],
        python: pythonFor(model, 'print(dt.sample_stats["acceptance_rate"].mean("draw"))'),
      }),
    [means, target, all.join()],
  )
  const few = means !== undefined && draws < FEW ? `Too few draws: ${draws} a chain` : undefined
  return (
    <section class="card" aria-label={`Acceptance rate (${stat.name})`}>
      <div class="sampler-two">
        <Chart plot={density} height={HEIGHT} empty={error ?? few} />
        <Chart plot={dots} height={HEIGHT} empty={error ?? (draws === 0 && means ? 'No draws yet' : undefined)} />
      </div>
    </section>
  )
}
