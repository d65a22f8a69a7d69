/** Divergences over time, of all samplers together. */
import { useMemo } from 'preact/hooks'
import { Chart } from '../../parts/chart.tsx'
import { divergencesPlot } from '../../plots/divergences.ts'
import type { RunModel } from '../../run/model.ts'
import { pythonFor } from '../../run/python.ts'
import type { NamedScalar } from '../../run/schema.ts'
import { useDraws } from '../../run/use-draws.ts'
import { allChains, HEIGHT, refOf } from './shown.ts'

export function DivergencesCard({
  model,
  stats,
}: {
  readonly model: RunModel
  readonly stats: readonly NamedScalar[]
}) {
  const choice = model.choice.value
  const { answer, error } = useDraws(model, 'marked', { scalars: stats.map(refOf), choice })
  const all = allChains(model)
  const brush = model.brush.value
  const plot = useMemo(
    () =>
      answer &&
      divergencesPlot({
        ...{ chains: answer, all, brush },
        note: `${choice.warmup === 'exclude' ? 'Without' : 'With'} warmup (w changes that). Drag to choose draws in all plots.`,
        python: pythonFor(model, 'print(dt.sample_stats["diverging"].sum("draw"))'),
        onBrush: (interval) => {
          model.brush.value = interval && { kind: 'interval', start: interval[0], stop: interval[1] }
        },
      }),
    [answer, brush, choice.warmup, all.join()],
  )
  const isEmpty = answer?.every(({ first, stop }) => stop <= first) ?? false
  const isWithout = !isEmpty && (answer?.every(({ at }) => at.length === 0) ?? false)
  return (
    <section class="card" aria-label="Divergences over time">
      {isWithout && plot !== undefined ? (
        <p class="sampler-none-diverged">
          <span class="status ok">✓ no divergences</span> {plot.sentence}
        </p>
      ) : (
        <Chart plot={plot} height={HEIGHT} empty={error ?? (isEmpty ? 'No draws behind warmup yet' : undefined)} />
      )}
      {answer?.some(({ at }) => at.length > 0) && (
        <p class="chart-note">
          Where they are: <a href={`/ui/runs/${encodeURIComponent(model.rid)}?tab=pairs`}>pairs</a>.
        </p>
      )}
    </section>
  )
}
