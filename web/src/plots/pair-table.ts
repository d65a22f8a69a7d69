/** Numbers behind a pair: its draws or its cells, and the correlation of both scalars. */
import type { Cloud } from '../draws/questions.ts'
import { edgesOf, kindsOf } from './pair-counts.ts'
import type { PlotTable } from './plot.ts'

interface Paired {
  readonly x: { readonly label: string }
  readonly y: { readonly label: string }
  readonly cloud: Cloud
}

export function pairTable({ x, y, cloud }: Paired): PlotTable {
  const { points, diverging } = cloud
  const marked = new Set([...diverging.at].map((at, i) => `${diverging.chain[i]} ${at}`))
  if (points !== undefined) {
    return {
      columns: ['chain', 'iteration', x.label, y.label, 'diverged'],
      rows: [...points.x].map((value, i) => {
        const [chain = 0, at = 0] = [points.chain[i], points.at[i]]
        return [chain, at, value, points.y[i] ?? null, marked.has(`${chain} ${at}`) ? 'yes' : 'no']
      }),
    }
  }
  return {
    columns: [`${x.label} from`, `${x.label} to`, `${y.label} from`, `${y.label} to`, 'draws'],
    rows: cellsOf(cloud).map(({ x: [left, right], y: [low, high], draws }) => [left, right, low, high, draws]),
  }
}

export interface Cell {
  readonly x: readonly [number, number]
  readonly y: readonly [number, number]
  readonly draws: number
}

/** Cells with draws, column after column. */
export function cellsOf({ grid, x, y }: Cloud): readonly Cell[] {
  if (grid === undefined) return []
  const { columns, rows, counts } = grid
  const kinds = kindsOf(grid)
  const across = edgesOf(x, columns, kinds.x)
  const up = edgesOf(y, rows, kinds.y)
  const cells: Cell[] = []
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) {
      const draws = counts[row * columns + column] as number
      if (draws === 0) continue
      const edge = (edges: Float64Array, i: number) => [edges[i] as number, edges[i + 1] as number] as const
      cells.push({ x: edge(across, column), y: edge(up, row), draws })
    }
  }
  return cells
}

/** Pearson's, of draws or of the middles of cells; NaN where there is none. */
export function correlationOf(cloud: Cloud): number {
  const { points } = cloud
  if (points !== undefined) return pearson(points.x, points.y)
  const cells = cellsOf(cloud)
  const middle = (axis: 'x' | 'y') => Float64Array.from(cells, (cell) => (cell[axis][0] + cell[axis][1]) / 2)
  return pearson(
    middle('x'),
    middle('y'),
    Float64Array.from(cells, ({ draws }) => draws),
  )
}

function pearson(x: Float64Array, y: Float64Array, weights?: Float64Array): number {
  const weight = (i: number) => weights?.[i] ?? 1
  let [total, sumX, sumY] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    total += weight(i)
    sumX += weight(i) * (x[i] as number)
    sumY += weight(i) * (y[i] as number)
  }
  const [meanX, meanY] = [sumX / total, sumY / total]
  let [xx, yy, xy] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [(x[i] as number) - meanX, (y[i] as number) - meanY]
    xx += weight(i) * dx * dx
    yy += weight(i) * dy * dy
    xy += weight(i) * dx * dy
  }
  const found = xy / Math.sqrt(xx * yy)
  return Number.isFinite(found) ? found : Number.NaN
}
