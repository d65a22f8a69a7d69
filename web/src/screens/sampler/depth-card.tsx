/** Depths of NUTS' trees, and the greatest that is allowed. */
import { useMemo } from 'preact/hooks'
import { Chart } from '../../parts/chart.tsx'
import { densityPlot } from '../../plots/density.ts'
import { depthsPlot } from '../../plots/depths.ts'
import { pythonForScalars } from '../../run/python.ts'
import { useDraws } from '../../run/use-draws.ts'
import { limitOf } from './settings.ts'
import { allChains, HEIGHT, refOf, type StatProps } from './shown.ts'

export function DepthCard({ model, stat, sampler }: StatProps) {
  const choice = model.choice.value
  const question = { scalar: refOf(stat), choice, points: 200, whole: 'by values' } as const
  const { answer, error } = useDraws(model, 'density', question)
  const all = allChains(model)
  const about = model.about.value
  const plot = useMemo(() => {
    if (answer === undefined) return undefined
    const python = pythonForScalars(model, 'plot_dist', [stat])
    // A stat of any other kind counts no steps.
    if (!answer.isDiscrete) return densityPlot({ label: stat.label, density: answer, all, python })
    const limit = limitOf(about, sampler)
    const note = limit.isAssumed ? 'Nothing tells the maximum of this run: 10 is the default of samplers.' : undefined
    return depthsPlot({ density: answer, limit, all, python, note })
  }, [answer, about, all.join()])
  return (
    <section class="card" aria-label={`Tree depth (${stat.name})`}>
      <Chart plot={plot} height={HEIGHT} empty={error ?? (answer?.x.length === 0 ? 'No draws yet' : undefined)} />
    </section>
  )
}
