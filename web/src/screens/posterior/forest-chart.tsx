/** The forest of one page of scalars. */
import { useMemo } from 'preact/hooks'
import { count } from '../../paint/number.ts'
import { Chart } from '../../parts/chart.tsx'
import { forestHeight, forestPlot } from '../../plots/forest.ts'
import type { RunModel } from '../../run/model.ts'
import { pythonForScalars } from '../../run/python.ts'
import type { NamedScalar, RunSchema } from '../../run/schema.ts'
import { useIntervals } from './intervals.ts'

export interface ForestProps {
  readonly model: RunModel
  readonly schema: RunSchema
  readonly scalars: readonly NamedScalar[]
}

export function Forest({ model, schema, scalars }: ForestProps) {
  const found = useIntervals(model, schema, scalars)
  const { draws } = model.view.value
  const isSliced = draws.start !== undefined || draws.stop !== undefined
  const plot = useMemo(() => {
    if (found === undefined || found.rows.length === 0) return undefined
    const n = `n = ${count(found.draws)} of each of ${found.chains} chains`
    const note = [
      `Medians, 50 % and 89 % intervals (equal tails); ${found.chains === 1 ? `n = ${count(found.draws)}` : n}.`,
      ...(found.rows.some(({ rhat }) => rhat !== undefined) ? ['! marks an R-hat above 1.01.'] : []),
      ...(isSliced ? ['Figures are of all draws, not of the range of iterations.'] : []),
      ...(found.isComplete ? [] : ['Some are still being computed.']),
    ].join(' ')
    const python = pythonForScalars(model, 'plot_forest', scalars)
    return forestPlot({ title: 'Forest', rows: found.rows, note, python })
  }, [found, isSliced])
  return (
    <Chart plot={plot} height={forestHeight(scalars.map(({ name }) => ({ variable: name })))} empty={found?.error} />
  )
}
