/** Counts of draws in cells: the darker a cell, the more draws it has. */
import type { Cloud } from '../draws/questions.ts'
import type { Painter } from '../paint/painter.ts'
import type { Theme } from '../paint/theme.ts'
import { runsOf } from './pair-paint.ts'
import type { AxisKind, PairScales } from './pair-scales.ts'

/** Steps of darkness: each is the same step of the counts' square root. */
const STEPS = 12

export type Kinds = { readonly x: AxisKind; readonly y: AxisKind }

/** Values between which the cells of an axis lie: evenly, or evenly in the logarithm. */
export function edgesOf([low, high]: readonly [number, number], cells: number, kind: AxisKind): Float64Array {
  const isLog = kind === 'log' && low > 0
  const [from, to] = isLog ? [Math.log(low), Math.log(high)] : [low, high]
  const edges = Float64Array.from({ length: cells + 1 }, (_each, i) => from + ((to - from) * i) / cells)
  return isLog ? edges.map(Math.exp) : edges
}

/** Kinds of the axes along which the cells are even, whatever the plot's axes are. */
export function kindsOf(grid: NonNullable<Cloud['grid']>): Kinds {
  const kind = (axis: 'x' | 'y') => (grid.log?.includes(axis) ? 'log' : 'linear')
  return { x: kind('x'), y: kind('y') }
}

export function paintCounts(painter: Painter, { x, y }: PairScales, cloud: Cloud, theme: Theme): void {
  const { grid } = cloud
  if (grid === undefined) return
  const { columns, rows, counts } = grid
  const kinds = kindsOf(grid)
  const across = edgesOf(cloud.x, columns, kinds.x).map(x)
  const up = edgesOf(cloud.y, rows, kinds.y).map(y)
  let most = 1
  for (let i = 0; i < counts.length; i++) most = Math.max(most, counts[i] as number)
  const steps = Uint8Array.from(counts, (count) => Math.ceil(STEPS * Math.sqrt(count / most)))
  const runs: (readonly [place: number, length: number])[][] = Array.from({ length: STEPS }, () => [])
  for (const run of runsOf(steps, columns)) runs[(steps[run[0]] as number) - 1]?.push(run)
  for (const [rank, some] of runs.entries()) {
    painter.path(
      (sink) => {
        for (const [place, length] of some) {
          const [column, row] = [place % columns, Math.floor(place / columns)]
          const [left, right] = [across[column] as number, across[column + length] as number]
          const [bottom, top] = [up[row] as number, up[row + 1] as number]
          sink.rect(left, top, right - left, bottom - top)
        }
      },
      { fill: theme.accent, opacity: 0.1 + (0.85 * (rank + 1)) / STEPS },
    )
  }
}
