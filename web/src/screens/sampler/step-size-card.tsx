/** The step size over time: warmup adapts it, and is shown in any case. */
import { useMemo } from 'preact/hooks'
import { Chart } from '../../parts/chart.tsx'
import { tracePlot } from '../../plots/trace.ts'
import { pythonForScalars } from '../../run/python.ts'
import { useDraws } from '../../run/use-draws.ts'
import { allChains, HEIGHT, refOf, type StatProps } from './shown.ts'

const BUCKETS = 400

export function StepSizeCard({ model, stat }: StatProps) {
  const choice = { ...model.choice.value, warmup: 'include' as const }
  const { answer, error } = useDraws(model, 'trace', { scalars: [refOf(stat)], choice, buckets: BUCKETS })
  const all = allChains(model)
  const brush = model.brush.value
  const chains = answer?.[0]
  const plot = useMemo(() => {
    if (chains === undefined) return undefined
    const end = Math.max(1, ...chains.map(({ length }) => length))
    return tracePlot({
      ...{ title: 'Step size', label: 'step size', chains, all, brush },
      window: [choice.start ?? 0, Math.min(end, choice.stop ?? end)],
      python: pythonForScalars(model, 'plot_trace', [stat]),
      onBrush: (interval) => {
        model.brush.value = interval && { kind: 'interval', start: interval[0], stop: interval[1] }
      },
    })
  }, [chains, brush, choice.start, choice.stop, all.join()])
  return (
    <section class="card" aria-label={`Step size (${stat.name})`}>
      <Chart plot={plot} height={HEIGHT} empty={error} />
    </section>
  )
}
