/** Depths of trees: the share of draws at each, of all chains and of each, and the greatest depth that is allowed. */
import type { Density } from '../draws/questions.ts'
import { bottomAxis, leftAxis } from '../paint/axes.ts'
import { percent } from '../paint/number.ts'
import type { Painter, Size } from '../paint/painter.ts'
import { frameOf, linear } from '../paint/scale.ts'
import { chainLook, type Theme } from '../paint/theme.ts'
import { chainEntries, LEGEND_ROOM, legend } from './legend.ts'
import type { Plot } from './plot.ts'

export interface DepthsOptions {
  /** Whole numbers. */
  readonly density: Density
  readonly limit: { readonly depth: number; readonly isAssumed: boolean }
  /** Numbers of all chains of the run, in order. */
  readonly all: readonly number[]
  readonly note?: string | undefined
  readonly python?: string | undefined
}

export function depthsPlot(options: DepthsOptions): Plot {
  const { density, note, python } = options
  const { x, all, chains } = density
  return {
    title: 'Tree depth',
    sentence: sentenceOf(options),
    note,
    python,
    draw: (painter, size, theme) => drawDepths(painter, size, theme, options),
    table: () => ({
      columns: ['depth', 'all', ...chains.map(({ chain }) => `chain ${chain}`)],
      rows: [...x].map((depth, i) => [depth, all[i] ?? 0, ...chains.map(({ y }) => y[i] ?? 0)]),
    }),
    cursor: {
      count: x.length,
      nearest: (px, _py, size) => {
        const wanted = scalesOf(options, size).x.invert(px)
        const distances = [...x].map((depth) => Math.abs(depth - wanted))
        return Math.max(0, distances.indexOf(Math.min(...distances)))
      },
      text: (place) => {
        const own = chains.slice(0, 8).map(({ chain, y }) => `chain ${chain} ${percent(y[place] ?? 0)}`)
        return `depth ${x[place]}: ${percent(all[place] ?? 0)} of all; ${own.join(', ')}`
      },
      draw: (painter, size, theme, place) => {
        const { frame, x: across } = scalesOf(options, size)
        const [left, right] = [across((x[place] ?? 0) - 0.5), across((x[place] ?? 0) + 0.5)]
        painter.rect(left, frame.top, right - left, frame.height, { fill: theme.accent, opacity: 0.1 })
      },
    },
  }
}

function scalesOf({ density: { x, all, chains }, limit }: DepthsOptions, size: Size) {
  const frame = frameOf(size, { left: 52, top: LEGEND_ROOM + 4 })
  const most = Math.max(0.01, ...all, ...chains.map(({ y }) => Math.max(0, ...y)))
  const ends = [Math.min(x[0] ?? 0, limit.depth) - 0.7, Math.max(x.at(-1) ?? 0, limit.depth) + 0.7] as const
  return { frame, x: linear(ends, [frame.left, frame.right]), y: linear([0, 1.05 * most], [frame.bottom, frame.top]) }
}

function drawDepths(painter: Painter, size: Size, theme: Theme, options: DepthsOptions): void {
  const { density, limit, all } = options
  const { frame, x, y } = scalesOf(options, size)
  leftAxis(painter, frame, y, theme, { label: 'share of draws' })
  const depths = Array.from({ length: Math.ceil(x.domain[1] - x.domain[0]) }, (_each, i) => Math.ceil(x.domain[0]) + i)
  const skip = Math.ceil(22 / Math.max(1, x(1) - x(0)))
  const ticks = depths.filter((_each, i) => i % skip === 0).map((value) => ({ value, label: String(value) }))
  bottomAxis(painter, frame, x, theme, { label: 'depth', ticks })
  const width = 0.8 * (x(1) - x(0))
  for (const [i, depth] of density.x.entries()) {
    const [left, top] = [x(depth) - width / 2, y(density.all[i] ?? 0)]
    painter.rect(left, top, width, frame.bottom - top, { fill: theme.accent, opacity: 0.3 })
    if (all.length > theme.chains.length) continue
    for (const { chain, y: shares } of density.chains) {
      const { colour } = chainLook(theme, all.indexOf(chain), all.length)
      const at = y(shares[i] ?? 0)
      painter.line(left, at, left + width, at, { stroke: colour, width: 2 })
    }
  }
  const edge = x(limit.depth + 0.5)
  painter.line(edge, frame.top, edge, frame.bottom, { stroke: theme.warn, dash: [4, 3] })
  const name = `maximum ${limit.depth}${limit.isAssumed ? ' (assumed)' : ''}`
  painter.text(edge - 6, frame.top + 4, name, { fill: theme.warn, align: 'end', baseline: 'top' })
  const shown = density.chains.map(({ chain }) => chain)
  legend(painter, { ...frame, top: LEGEND_ROOM }, chainEntries(theme, shown, all, 'line'), theme)
}

function sentenceOf({ density: { x, all }, limit }: DepthsOptions): string {
  let [common, share, atLimit] = [0, 0, 0]
  for (const [i, depth] of x.entries()) {
    if ((all[i] as number) > share) [common, share] = [depth, all[i] as number]
    if (depth >= limit.depth) atLimit += all[i] as number
  }
  const known = limit.isAssumed ? `${limit.depth}, which is assumed to be the maximum` : `the maximum of ${limit.depth}`
  return `Trees are between ${x[0] ?? 0} and ${x.at(-1) ?? 0} deep, most often ${common} (${percent(share)}); ${atLimit === 0 ? 'none' : percent(atLimit)} reached ${known}.`
}
