/** The pair that is open: what is chosen for x and y, how it is drawn, and its plot. */
import { useMemo } from 'preact/hooks'
import { show } from '../../app/navigate.ts'
import { notify } from '../../app/notice.ts'
import type { Cloud } from '../../draws/questions.ts'
import { count } from '../../paint/number.ts'
import { Chart } from '../../parts/chart.tsx'
import { Combobox } from '../../parts/combobox.tsx'
import { pairPlot } from '../../plots/pair.ts'
import { type Area, brushOf } from '../../plots/pair-chosen.ts'
import type { RunModel } from '../../run/model.ts'
import { pythonForScalars } from '../../run/python.ts'
import { searchScalars } from '../../run/scalar-search.ts'
import type { NamedScalar, RunSchema } from '../../run/schema.ts'
import { useDraws } from '../../run/use-draws.ts'
import { refOf } from './matrix.tsx'

/** Cells of an axis above 10⁵ draws. */
const BINS = 110
const HEIGHT = { wide: 480, narrow: 380 }
/** Chains that have colours of their own. */
const COLOURED = 8

type Pair = readonly [x: NamedScalar, y: NamedScalar]

interface OpenPairProps {
  readonly model: RunModel
  readonly schema: RunSchema
  readonly pair: Pair
}

export function OpenPair({ model, schema, pair }: OpenPairProps) {
  const [x, y] = pair
  const { more } = model.view.value
  const log = (['x', 'y'] as const).filter((axis) => more.log?.split(',').includes(axis))
  const all = model.chains.value.map(({ chain }) => chain)
  const canColour = all.length > 1 && all.length <= COLOURED
  const colours = canColour && more.colours !== 'one' ? 'chains' : 'one'
  const brush = model.brush.value
  const choice = model.choice.value
  const { answer, error } = useDraws(model, 'cloud', { x: refOf(x), y: refOf(y), choice, bins: BINS, log, brush })
  const plot = useMemo(() => {
    if (answer === undefined) return undefined
    const kind = (axis: 'x' | 'y') => (log.includes(axis) && answer[axis][0] > 0 ? 'log' : 'linear')
    return pairPlot({
      x: { label: x.label, kind: kind('x') },
      y: { label: y.label, kind: kind('y') },
      ...{ cloud: answer, all, colours, brush, note: noteOf(answer) },
      python: pythonForScalars(model, 'plot_pair', pair),
      onArea: (area) => void choose(model, pair, answer, area),
    })
  }, [answer, x, y, brush, colours, log.join(), all.join()])
  return (
    <>
      <Controls schema={schema} pair={pair} more={more} log={log} cloud={answer} canColour={canColour} />
      <Chart plot={plot} height={innerWidth < 600 ? HEIGHT.narrow : HEIGHT.wide} empty={error ?? emptyOf(answer)} />
    </>
  )
}

interface ControlsProps {
  readonly schema: RunSchema
  readonly pair: Pair
  readonly more: Readonly<Record<string, string>>
  readonly log: readonly ('x' | 'y')[]
  readonly cloud: Cloud | undefined
  readonly canColour: boolean
}

function Controls({ schema, pair: [x, y], more, log, cloud, canColour }: ControlsProps) {
  const propose = (text: string) => searchScalars(schema, text)
  const put = (change: Readonly<Record<string, string>>) =>
    show({ more: { ...more, x: x.label, y: y.label, ...change } })
  const without = (name: string) => Object.fromEntries(Object.entries(more).filter(([key]) => key !== name))
  const toggle = (axis: 'x' | 'y') => {
    const wanted = log.includes(axis) ? log.filter((each) => each !== axis) : [...log, axis].sort()
    if (wanted.length === 0) show({ more: without('log') })
    else show({ more: { ...more, log: wanted.join() } })
  }
  return (
    <div class="pairs-controls">
      <Combobox label="x" value={x.label} propose={propose} onChoose={(label) => put({ x: label })} />
      <button
        type="button"
        class="quiet icon"
        aria-label="Swap x and y"
        title="Swap x and y"
        onClick={() => put({ x: y.label, y: x.label, ...(log.length === 1 && { log: log[0] === 'x' ? 'y' : 'x' }) })}
      >
        ⇄
      </button>
      <Combobox label="y" value={y.label} propose={propose} onChoose={(label) => put({ y: label })} />
      <span class="pairs-switches">
        {(['x', 'y'] as const).map((axis) =>
          cloud !== undefined && !(cloud[axis][0] > 0) ? null : (
            <button key={axis} type="button" aria-pressed={log.includes(axis)} onClick={() => toggle(axis)}>
              log {axis}
            </button>
          ),
        )}
        {canColour && cloud?.grid === undefined && (
          <button
            type="button"
            aria-pressed={more.colours !== 'one'}
            onClick={() => show({ more: more.colours === 'one' ? without('colours') : { ...more, colours: 'one' } })}
          >
            chains
          </button>
        )}
      </span>
    </div>
  )
}

function noteOf({ count: draws, grid, diverging }: Cloud): string {
  const cells = grid === undefined ? '' : ` in ${grid.columns} × ${grid.rows} cells, the darker the more`
  const marks = diverging.x.length === 0 ? '' : `; ${count(diverging.x.length)} diverged, each with a mark`
  return `n = ${count(draws)}${cells}${marks}. Drag over draws to choose them in all plots; a click or Escape lets go.`
}

function emptyOf(cloud: Cloud | undefined): string | undefined {
  if (cloud === undefined) return undefined
  if (cloud.count === 0) return 'No draws yet'
  return Number.isNaN(cloud.x[0]) || Number.isNaN(cloud.y[0]) ? 'No draw has finite values of both' : undefined
}

/** Lights up the draws of an area in all plots. */
async function choose(model: RunModel, [x, y]: Pair, cloud: Cloud, area: Area | undefined): Promise<void> {
  if (area === undefined) {
    model.brush.value = undefined
    return
  }
  if (cloud.points !== undefined) {
    model.brush.value = brushOf(cloud.points, area)
    return
  }
  try {
    const asked = { x: refOf(x), y: refOf(y), choice: model.choice.value, area }
    model.brush.value = (await model.draws.value?.ask('within', asked)) ?? undefined
  } catch (error) {
    notify(error instanceof Error ? error.message : String(error))
  }
}
