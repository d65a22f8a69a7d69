/** Data against replications from the posterior predictive, or what would make them appear. */
import { useSignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { count } from '../../paint/number.ts'
import { Chart } from '../../parts/chart.tsx'
import { predictivePlot } from '../../plots/predictive.ts'
import { testStatisticPlot } from '../../plots/test-statistic.ts'
import type { RunModel } from '../../run/model.ts'
import { pythonFor } from '../../run/python.ts'
import { pythonText } from '../../run/python-lines.ts'
import type { RunSchema } from '../../run/schema.ts'
import { useDraws } from '../../run/use-draws.ts'
import { EXAMPLE_END, type Replicated, replicasOf } from './replicas.ts'
import { type Curves, curvesOf, replicationsIn, STATISTICS } from './replications.ts'

/** Values that are looked at, and replications of a chain at least and at most. */
const VALUES = 1e6
const LEAST = 13
const MOST = 250

const HEIGHT = 280

export function Predictive({ model, schema }: { readonly model: RunModel; readonly schema: RunSchema }) {
  const found = useMemo(() => replicasOf(schema), [schema])
  if (found.length === 0) return <None schema={schema} />
  return (
    <>
      {found.map((each) => (
        <Checked key={each.observed.name} model={model} replicated={each} />
      ))}
    </>
  )
}

function None({ schema }: { readonly schema: RunSchema }) {
  const observed = schema.data().filter(({ isObserved }) => isObserved)
  const name = (observed[0] ?? schema.data()[0])?.name
  const example = name ?? 'y'
  return (
    <section class="card" aria-label="Observed against replicated">
      <h2>Observed against replicated</h2>
      <p class="quiet-text posterior-none">
        {name === undefined
          ? 'The run was registered without data of its model. '
          : `No variable of the run replicates its data (${observed.map((each) => each.name).join(', ') || name}). `}
        With the observed data <code>{example}</code> and a variable of the same shape that draws from the posterior
        predictive, as <code>{`${example}${EXAMPLE_END}`}</code> in Stan’s generated quantities, the two are compared
        here.
      </p>
    </section>
  )
}

function Checked({ model, replicated }: { readonly model: RunModel; readonly replicated: Replicated }) {
  const { observed, column, values } = replicated
  const chains = Math.max(1, model.shownChains.value.length)
  const most = Math.max(LEAST, Math.min(MOST, Math.floor(VALUES / (chains * values.length))))
  const scalars = useMemo(
    () =>
      values.reduce<{ group: 'draws'; name: string; element: number }[]>((list, _value, element) => {
        list.push({ group: 'draws', name: column.name, element })
        return list
      }, []),
    [values, column.name],
  )
  const { answer, error } = useDraws(model, 'values', { scalars, choice: model.choice.value, most })
  const looked = useSignal<Looked | undefined>(undefined)
  useEffect(() => {
    let isWanted = answer !== undefined
    if (answer !== undefined) {
      const replications = replicationsIn(answer)
      void (replications.length === 0 ? Promise.resolve(undefined) : curvesOf(values, replications)).then((curves) => {
        if (isWanted) looked.value = { replications, curves, isThinned: answer.isThinned }
      })
    }
    return () => {
      isWanted = false
    }
  }, [answer, values])
  const found = looked.value
  const plots = useMemo(() => found && plotsOf(model, replicated, found), [found, replicated])
  const empty = error ?? (found?.replications.length === 0 ? 'No draws behind warmup yet' : undefined)
  return (
    <section class="card" aria-label={`${observed.name} against ${column.name}`}>
      <Chart plot={plots?.curves} height={HEIGHT} empty={empty} />
      <div class="posterior-statistics">
        {plots?.statistics.map((plot) => (
          <Chart key={plot.title} plot={plot} height={200} />
        ))}
      </div>
    </section>
  )
}

interface Looked {
  readonly replications: readonly Float64Array[]
  /** Undefined without replications. */
  readonly curves: Curves | undefined
  readonly isThinned: boolean
}

function plotsOf(model: RunModel, { observed, column, values }: Replicated, looked: Looked) {
  const { replications, curves, isThinned } = looked
  if (curves === undefined) return undefined
  const names = { observed: observed.name, replicated: column.name }
  const thinned = isThinned ? '≈ evenly thinned: ' : ''
  const note = `${thinned}${count(replications.length)} replications of ${count(values.length)} values.`
  return {
    curves: predictivePlot({
      ...{ ...names, ...curves, note },
      python: pythonFor(model, `az.plot_dist(dt, var_names=[${pythonText(column.name)}])`),
    }),
    statistics: Object.entries(STATISTICS).map(([statistic, of]) =>
      testStatisticPlot({
        ...{ statistic, observed: observed.name, data: of(values), note },
        replications: Float64Array.from(replications, of),
      }),
    ),
  }
}
