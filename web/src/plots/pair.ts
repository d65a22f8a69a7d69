/** Pairs: two scalars against each other, as points or as counts in cells, divergences on top one by one (`plot_pair`). */

import type { Brush, Cloud } from '../draws/questions.ts'
import { bottomAxis, leftAxis } from '../paint/axes.ts'
import { count, significant } from '../paint/number.ts'
import type { Painter, Size } from '../paint/painter.ts'
import type { Theme } from '../paint/theme.ts'
import { chainLook } from '../paint/theme.ts'
import { chainEntries, diamonds, LEGEND_ROOM, type LegendEntry, legend } from './legend.ts'
import { type Area, areaOf, chosenOf } from './pair-chosen.ts'
import { paintCounts } from './pair-counts.ts'
import { pairCursor } from './pair-cursor.ts'
import { marginalsOf, paintEdges } from './pair-edges.ts'
import { type Dots, paintDots } from './pair-paint.ts'
import { hasEdges, type PairAxis, type PairScales, pairScales, ticksFor } from './pair-scales.ts'
import { correlationOf, pairTable } from './pair-table.ts'
import type { Plot } from './plot.ts'

export interface PairOptions {
  readonly x: PairAxis
  readonly y: PairAxis
  readonly cloud: Cloud
  /** Numbers of all chains of the run, in order: a chain has its colour by its place among them. */
  readonly all: readonly number[]
  readonly colours: 'chains' | 'one'
  /** A small plot has neither axes nor cursor. */
  readonly room?: 'full' | 'small' | undefined
  readonly brush?: Brush | undefined
  readonly note?: string | undefined
  readonly python?: string | undefined
  /** Learns of an area that was chosen, or let go. */
  readonly onArea?: ((area: Area | undefined) => void) | undefined
}

export function pairPlot(options: PairOptions): Plot {
  const { x, y, cloud, room = 'full', note, python, onArea, brush } = options
  const scalesAt = (size: Size) => pairScales(cloud, { x: x.kind, y: y.kind }, size, room)
  const chosen = brush === undefined ? undefined : (cloud.brushed ?? chosenOf(cloud.points, brush))
  return {
    title: `${y.label} against ${x.label}`,
    canonical: 'plot_pair',
    sentence: sentenceOf(options, chosen?.x.length),
    note,
    python,
    draw: (painter, size, theme) => {
      const scales = scalesAt(size)
      const { frame } = scales
      if (room === 'full') paintAround(painter, scales, size, options, theme)
      else painter.rect(frame.left, frame.top, frame.width, frame.height, { stroke: theme.grid })
      painter.clip(frame.left, frame.top, frame.width, frame.height, () => {
        if (cloud.grid !== undefined) paintCounts(painter, scales, cloud, theme)
        const dots = dotsOf(options, scales, theme)
        if (dots !== undefined) paintDots(painter, frame, dots, room === 'full' ? 2 : 1.5)
        if (chosen !== undefined) paintDots(painter, frame, { ...placed(chosen, scales), colours: [theme.ink] }, 2.4)
        paintDivergent(painter, scales, options, theme)
      })
      if (hasEdges(size, room)) paintEdges(painter, scales, marginalsOf(cloud, scales, chosen), theme)
    },
    table: () => pairTable(options),
    cursor: room === 'full' ? pairCursor(options, scalesAt) : undefined,
    brush:
      onArea === undefined
        ? undefined
        : { kind: 'area', choose: (pixels, size) => onArea(pixels && areaOf(pixels, scalesAt(size))) },
  }
}

function paintAround(painter: Painter, scales: PairScales, size: Size, options: PairOptions, theme: Theme): void {
  const { frame, x, y } = scales
  const { cloud, all, colours } = options
  leftAxis(painter, frame, y, theme, {
    label: options.y.label,
    ticks: ticksFor(options.y.kind, y, Math.max(2, Math.floor(frame.height / 40))),
  })
  bottomAxis(painter, frame, x, theme, {
    label: options.x.label,
    grid: 'shown',
    ticks: ticksFor(options.x.kind, x, Math.max(2, Math.floor(frame.width / 72))),
  })
  const chains = colours === 'chains' && cloud.points !== undefined ? [...new Set(cloud.points.chain)] : []
  const entries: LegendEntry[] = []
  const divergent = cloud.diverging.x.length
  if (divergent > 0) entries.push({ label: `diverged: ${count(divergent)}`, colour: theme.bad, mark: 'diamond' })
  entries.push(...chainEntries(theme, chains, all, 'dot'))
  legend(painter, { ...frame, top: LEGEND_ROOM, right: size.width }, entries, theme)
}

function placed(
  { x, y }: { readonly x: Float64Array; readonly y: Float64Array },
  scales: PairScales,
): Pick<Dots, 'x' | 'y'> {
  return { x: x.map((value) => scales.x(value)), y: y.map((value) => scales.y(value)) }
}

/** Points by colour: of each chain, or of all. */
function dotsOf({ cloud, all, colours }: PairOptions, scales: PairScales, theme: Theme): Dots | undefined {
  const { points } = cloud
  if (points === undefined) return undefined
  const isByChain = colours === 'chains' && all.length <= theme.chains.length
  if (!isByChain) return { ...placed(points, scales), colours: [theme.accent] }
  const places = new Map(all.map((chain, place) => [chain, place]))
  return {
    ...placed(points, scales),
    look: Uint8Array.from(points.chain, (chain) => places.get(chain) ?? 0),
    colours: all.map((_chain, place) => chainLook(theme, place, all.length).colour),
  }
}

function paintDivergent(painter: Painter, { x, y }: PairScales, options: PairOptions, theme: Theme): void {
  const { diverging } = options.cloud
  const places = [...diverging.x].map((value, i) => [x(value), y(diverging.y[i] as number)] as const)
  const seen = places.filter(([px, py]) => Number.isFinite(px) && Number.isFinite(py))
  const radius = options.room === 'small' ? 2.5 : seen.length > 500 ? 3 : 4.5
  diamonds(painter, seen, radius, theme.bad, theme)
}

function sentenceOf({ x, y, cloud }: PairOptions, chosen: number | undefined): string {
  const { diverging } = cloud
  const correlation = correlationOf(cloud)
  const parts = [
    `${count(cloud.count)} draws`,
    ...(Number.isNaN(correlation) ? [] : [`their correlation is ${significant(correlation, 2)}`]),
    ...(chosen === undefined ? [] : [`${count(chosen)} of them are chosen`]),
  ]
  const drawn = `${y.label} against ${x.label}: ${parts.join('; ')}.`
  const many = diverging.x.length
  if (many === 0) return drawn
  const sorted = Float64Array.from(diverging.x).sort()
  const range = `${x.label} from ${significant(sorted[0] as number)} to ${significant(sorted[many - 1] as number)}`
  const half = many > 2 ? `, half of them below ${significant(sorted[many >> 1] as number)}` : ''
  return `${drawn} ${count(many)} diverged, at ${range}${half}.`
}
