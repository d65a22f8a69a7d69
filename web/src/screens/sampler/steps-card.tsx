/** Leapfrog steps of each draw: what it costs. */
import { useMemo } from 'preact/hooks'
import { significant } from '../../paint/number.ts'
import { Chart } from '../../parts/chart.tsx'
import { densityPlot } from '../../plots/density.ts'
import { pythonForScalars } from '../../run/python.ts'
import { useDraws } from '../../run/use-draws.ts'
import { allChains, HEIGHT, refOf, type StatProps } from './shown.ts'

export function StepsCard({ model, stat }: StatProps) {
  const choice = model.choice.value
  const question = { scalar: refOf(stat), choice, points: 200, whole: 'by values' } as const
  const { answer, error } = useDraws(model, 'density', question)
  const { answer: means } = useDraws(model, 'chainMeans', { scalar: refOf(stat), choice })
  const all = allChains(model)
  const plot = useMemo(() => {
    if (answer === undefined) return undefined
    const known = means?.filter(({ draws }) => draws > 0) ?? []
    const mean = known.reduce((sum, each) => sum + each.mean, 0) / known.length
    const note = known.length === 0 ? undefined : `${significant(mean)} gradients a draw in the mean.`
    return densityPlot({
      ...{ label: 'leapfrog steps', density: answer, all, note },
      python: pythonForScalars(model, 'plot_dist', [stat]),
    })
  }, [answer, means, all.join()])
  return (
    <section class="card" aria-label={`Leapfrog steps (${stat.name})`}>
      <Chart plot={plot} height={HEIGHT} empty={error ?? (answer?.x.length === 0 ? 'No draws yet' : undefined)} />
    </section>
  )
}
