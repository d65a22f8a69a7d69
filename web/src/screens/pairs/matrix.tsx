/** Small pictures of all pairs among proposed scalars: each leads to its pair. */
import { useMemo } from 'preact/hooks'
import { addressOf } from '../../app/place.ts'
import { Chart } from '../../parts/chart.tsx'
import { pairPlot } from '../../plots/pair.ts'
import type { RunModel } from '../../run/model.ts'
import type { NamedScalar } from '../../run/schema.ts'
import { useDraws } from '../../run/use-draws.ts'
import type { Proposals } from './proposals.ts'

/** Pixels of a picture's height, and cells of its axes. */
const HEIGHT = 100
const BINS = 40

export function Matrix({ model, proposals: { scalars } }: { readonly model: RunModel; readonly proposals: Proposals }) {
  if (scalars.length < 2) return null
  const columns = scalars.slice(0, -1)
  return (
    <div class="pairs-matrix" style={{ gridTemplateColumns: `repeat(${columns.length}, minmax(0, 1fr))` }}>
      {scalars.slice(1).flatMap(({ scalar: y }, row) =>
        columns.slice(0, row + 1).map(({ scalar: x }, column) => (
          <div key={`${x.label} ${y.label}`} style={{ gridColumn: column + 1, gridRow: row + 1 }}>
            <Cell model={model} x={x} y={y} />
          </div>
        )),
      )}
    </div>
  )
}

interface CellProps {
  readonly model: RunModel
  readonly x: NamedScalar
  readonly y: NamedScalar
}

function Cell({ model, x, y }: CellProps) {
  const choice = model.choice.value
  const { answer, error } = useDraws(model, 'cloud', { x: refOf(x), y: refOf(y), choice, bins: BINS })
  const brush = model.brush.value
  const plot = useMemo(
    () =>
      answer &&
      pairPlot({
        x: { label: x.label, kind: 'linear' },
        y: { label: y.label, kind: 'linear' },
        ...{ cloud: answer, all: [], colours: 'one', room: 'small', brush },
      }),
    [answer, brush, x, y],
  )
  const view = model.view.value
  const isOpen = view.more.x === x.label && view.more.y === y.label
  const more = { ...view.more, x: x.label, y: y.label }
  const href = addressOf({ screen: 'run', rid: model.rid, view: { ...view, more } })
  return (
    <a class="pairs-cell" href={href} aria-current={isOpen ? 'true' : undefined} title={`${x.label} × ${y.label}`}>
      <Chart plot={plot} height={HEIGHT} size="small" empty={error} />
      <span class="pairs-cell-name">
        {x.label} × {y.label}
      </span>
    </a>
  )
}

/** The scalar as questions name it, without what is only its name. */
export function refOf({ group, name, element }: NamedScalar) {
  return { group, name, element }
}
