/** The cursor of a pair walks its draws from left to right, or its cells, column after column. */
import type { Cloud } from '../draws/questions.ts'
import { count, significant } from '../paint/number.ts'
import type { Size } from '../paint/painter.ts'
import type { PairAxis, PairScales } from './pair-scales.ts'
import { type Cell, cellsOf } from './pair-table.ts'
import type { PlotCursor } from './plot.ts'

interface Walked {
  readonly x: PairAxis
  readonly y: PairAxis
  readonly cloud: Cloud
}

export function pairCursor(walked: Walked, scalesAt: (size: Size) => PairScales): PlotCursor {
  const { points } = walked.cloud
  return points === undefined ? cellCursor(walked, scalesAt) : pointCursor(walked, points, scalesAt)
}

function pointCursor(
  { x, y, cloud }: Walked,
  points: NonNullable<Cloud['points']>,
  scalesAt: (size: Size) => PairScales,
): PlotCursor {
  let known: Uint32Array | undefined
  // From left to right, as arrow keys go; sorted when somebody walks.
  const order = () =>
    (known ??= Uint32Array.from(points.x.keys()).sort((a, b) => (points.x[a] as number) - (points.x[b] as number)))
  const { diverging } = cloud
  const divergent = new Set([...diverging.at].map((at, i) => `${diverging.chain[i]} ${at}`))
  return {
    count: points.x.length,
    nearest: (px, py, size) => {
      const scales = scalesAt(size)
      let [best, least] = [0, Number.POSITIVE_INFINITY]
      const walk = order()
      for (let place = 0; place < walk.length; place++) {
        const i = walk[place] as number
        const distance = (scales.x(points.x[i] as number) - px) ** 2 + (scales.y(points.y[i] as number) - py) ** 2
        if (distance < least) [best, least] = [place, distance]
      }
      return best
    },
    text: (place) => {
      const i = order()[place] ?? 0
      const [chain = 0, at = 0] = [points.chain[i], points.at[i]]
      const end = divergent.has(`${chain} ${at}`) ? ', diverged' : ''
      const pair = `${x.label} ${significant(points.x[i] ?? 0, 4)}, ${y.label} ${significant(points.y[i] ?? 0, 4)}`
      return `chain ${chain}, draw ${count(at)}: ${pair}${end}`
    },
    draw: (painter, size, theme, place) => {
      const i = order()[place] ?? 0
      const scales = scalesAt(size)
      const [px, py] = [scales.x(points.x[i] ?? 0), scales.y(points.y[i] ?? 0)]
      painter.circle(px, py, 6, { stroke: theme.ink, width: 1.5 })
    },
  }
}

function cellCursor({ x, y, cloud }: Walked, scalesAt: (size: Size) => PairScales): PlotCursor {
  let known: readonly Cell[] | undefined
  const cells = () => (known ??= cellsOf(cloud))
  const middle = ([low, high]: readonly [number, number]) => (low + high) / 2
  return {
    count: cells().length,
    nearest: (px, py, size) => {
      const scales = scalesAt(size)
      let [best, least] = [0, Number.POSITIVE_INFINITY]
      for (const [place, cell] of cells().entries()) {
        const distance = (scales.x(middle(cell.x)) - px) ** 2 + (scales.y(middle(cell.y)) - py) ** 2
        if (distance < least) [best, least] = [place, distance]
      }
      return best
    },
    text: (place) => {
      const cell = cells()[place]
      if (cell === undefined) return ''
      const range = ([low, high]: readonly [number, number]) => `${significant(low)} to ${significant(high)}`
      return `${x.label} ${range(cell.x)}, ${y.label} ${range(cell.y)}: ${count(cell.draws)} draws`
    },
    draw: (painter, size, theme, place) => {
      const cell = cells()[place]
      if (cell === undefined) return
      const scales = scalesAt(size)
      const [left, right] = [scales.x(cell.x[0]), scales.x(cell.x[1])]
      const [bottom, top] = [scales.y(cell.y[0]), scales.y(cell.y[1])]
      painter.rect(left, top, right - left, bottom - top, { stroke: theme.ink, width: 1.5 })
    },
  }
}
