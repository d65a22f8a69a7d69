/** Traces: the values of a scalar along the iterations, a line for each chain (`plot_trace`). */

import type { Brush, TracedChain } from '../draws/questions.ts'
import { bottomAxis, leftAxis } from '../paint/axes.ts'
import { count, significant } from '../paint/number.ts'
import { type Painter, polyline, type Size } from '../paint/painter.ts'
import { extentOf, type Frame, frameOf, linear, niceDomain, type Scale } from '../paint/scale.ts'
import { chainLook, type Theme } from '../paint/theme.ts'
import type { Plot, PlotBrush, PlotCursor, PlotTable, PlotZoom } from './plot.ts'

export interface TraceOptions {
  readonly title: string
  /** Name of the values' axis. */
  readonly label: string
  readonly chains: readonly TracedChain[]
  /** Numbers of all chains of the run, in order: a chain has its colour by its place among them. */
  readonly all: readonly number[]
  /** Chains that are to blame for something, and stand out. */
  readonly blamed?: readonly number[] | undefined
  /** Iterations that are shown, from the first to before the last. */
  readonly window: readonly [start: number, stop: number]
  readonly brush?: Brush | undefined
  readonly note?: string | undefined
  readonly python?: string | undefined
  /** Learns of iterations that were chosen, or let go. */
  readonly onBrush?: ((interval: readonly [start: number, stop: number] | undefined) => void) | undefined
  /** Learns of the window that is wanted; undefined is all. */
  readonly onWindow?: ((window: readonly [start: number, stop: number] | undefined) => void) | undefined
}

/** Iterations that a window has at least. */
const CLOSEST = 10

export function tracePlot(options: TraceOptions): Plot {
  const { title, label, chains, python, note, brush } = options
  return {
    title,
    canonical: 'plot_trace',
    sentence: sentenceOf(options),
    note: rangeOf(chains).isCut ? [note, 'warmup goes beyond the picture'].filter(Boolean).join(' · ') : note,
    python,
    draw: (painter, size, theme) => {
      const scales = scalesOf(options, size)
      const { frame, x, y } = scales
      painter.clip(frame.left, frame.top, frame.width, frame.height, () => {
        shadeWarmup(painter, scales, chains, theme)
        if (brush?.kind === 'interval') {
          const [left, right] = [x(brush.start), x(brush.stop)]
          painter.rect(left, frame.top, right - left, frame.height, { fill: theme.accent, opacity: 0.14 })
        }
      })
      leftAxis(painter, frame, y, theme, { label })
      bottomAxis(painter, frame, x, theme, { label: 'iteration' })
      painter.clip(frame.left, frame.top, frame.width, frame.height, () => {
        for (const chain of chains) drawChain(painter, scales, chain, options, theme)
        if (brush?.kind === 'draws') drawChosen(painter, scales, brush, chains, theme)
      })
    },
    table: () => tableOf(chains),
    cursor: cursorOf(options),
    brush: brushOf(options),
    zoom: zoomOf(options),
  }
}

interface Scales {
  readonly frame: Frame
  readonly x: Scale
  readonly y: Scale
}

function scalesOf({ chains, window }: TraceOptions, size: Size): Scales {
  const frame = frameOf(size, { left: 56, right: 18 })
  return {
    frame,
    x: linear(window, [frame.left, frame.right]),
    y: linear(niceDomain(rangeOf(chains).shown), [frame.bottom, frame.top]),
  }
}

/** Widths of the range of draws behind warmup by which warmup widens the picture at most, in either direction. */
const MOST_WIDENING = 1

/** Values that are shown: the first draws of warmup may lie so far away that all others would be one line. */
function rangeOf(chains: readonly TracedChain[]): { readonly shown: [number, number]; readonly isCut: boolean } {
  const all = extentOf(...chains.map(({ values }) => values))
  const behind = chains.map(({ at, values, warmup }) => values.filter((_, i) => (at[i] ?? 0) >= warmup))
  if (behind.every(({ length }) => length < 4)) return { shown: all, isCut: false }
  const [low, high] = extentOf(...behind)
  const room = MOST_WIDENING * (high - low)
  if (!(room > 0)) return { shown: all, isCut: false }
  const shown: [number, number] = [Math.max(all[0], low - room), Math.min(all[1], high + room)]
  return { shown, isCut: shown[0] !== all[0] || shown[1] !== all[1] }
}

function shadeWarmup(painter: Painter, { frame, x }: Scales, chains: readonly TracedChain[], theme: Theme): void {
  const warmup = Math.max(0, ...chains.map((chain) => chain.warmup))
  if (warmup === 0 || x(warmup) <= frame.left) return
  painter.rect(frame.left, frame.top, x(warmup) - frame.left, frame.height, { fill: theme.shade })
  if (x(warmup) - frame.left > 60) {
    painter.text(frame.left + 6, frame.top + 4, 'warmup', { fill: theme.quiet, baseline: 'top' })
  }
}

function drawChain(painter: Painter, { x, y }: Scales, chain: TracedChain, options: TraceOptions, theme: Theme): void {
  const { all, blamed = [] } = options
  const place = all.indexOf(chain.chain)
  const places = blamed.map((each) => all.indexOf(each))
  const { colour } = chainLook(theme, place, all.length, places)
  const isFaint = (places.length > 0 || all.length > theme.chains.length) && !places.includes(place)
  const { at, values } = chain
  painter.path(
    (sink) =>
      polyline(
        sink,
        at.length,
        (i) => x(at[i] as number),
        (i) => y(values[i] as number),
      ),
    { stroke: colour, width: at.length > 4 * 400 ? 0.8 : 1, opacity: isFaint ? 0.35 : 0.85 },
  )
}

function drawChosen(
  painter: Painter,
  { x, y }: Scales,
  brush: Extract<Brush, { readonly kind: 'draws' }>,
  chains: readonly TracedChain[],
  theme: Theme,
): void {
  for (const { chain, at } of brush.chains) {
    const traced = chains.find((each) => each.chain === chain)
    if (traced === undefined) continue
    const places = new Map([...traced.at].map((iteration, i) => [iteration, i]))
    for (const iteration of at) {
      const place = places.get(iteration)
      const value = place === undefined ? undefined : traced.values[place]
      if (value !== undefined) painter.circle(x(iteration), y(value), 2.5, { fill: theme.bad })
    }
  }
}

function sentenceOf({ label, chains }: TraceOptions): string {
  const [least, greatest] = extentOf(...chains.map(({ values }) => values))
  const lengths = chains.map(({ length }) => length)
  const draws = lengths.every((length) => length === lengths[0])
    ? `${count(lengths[0] ?? 0)} draws each`
    : `${count(Math.min(...lengths))} to ${count(Math.max(...lengths))} draws`
  const many = chains.length === 1 ? '1 chain' : `${chains.length} chains`
  return `${label} of ${many}, ${draws}, between ${significant(least)} and ${significant(greatest)}.`
}

/** The cursor walks the iterations of the chain that has most of them. */
function cursorOf(options: TraceOptions): PlotCursor {
  const { chains, label } = options
  const longest = chains.reduce<TracedChain | undefined>(
    (best, chain) => (best === undefined || chain.at.length > best.at.length ? chain : best),
    undefined,
  )
  const at = longest?.at ?? new Float64Array()
  return {
    count: at.length,
    nearest: (px, _py, size) => nearestIn(at, scalesOf(options, size).x.invert(px)),
    text: (place) => {
      const iteration = at[place] ?? 0
      const values = chains.map((chain) => {
        const value = chain.values[nearestIn(chain.at, iteration)]
        return `chain ${chain.chain}: ${value === undefined ? 'none' : significant(value, 4)}`
      })
      const shown = values.length > 8 ? [...values.slice(0, 8), `${values.length - 8} more`] : values
      return `${label} at ${count(iteration)}: ${shown.join(', ')}`
    },
    draw: (painter, size, theme, place) => {
      const { frame, x, y } = scalesOf(options, size)
      const iteration = at[place] ?? 0
      painter.line(x(iteration), frame.top, x(iteration), frame.bottom, { stroke: theme.axis })
      for (const chain of chains.slice(0, 8)) {
        const i = nearestIn(chain.at, iteration)
        const value = chain.values[i]
        if (value === undefined) continue
        const { colour } = chainLook(theme, options.all.indexOf(chain.chain), options.all.length)
        painter.circle(x(chain.at[i] ?? 0), y(value), 3, { fill: colour, stroke: theme.paper })
      }
    },
  }
}

/** Place of the number that is nearest, in rising numbers. */
export function nearestIn(sorted: ArrayLike<number>, wanted: number): number {
  let [low, high] = [0, sorted.length - 1]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as number) <= wanted) low = middle
    else high = middle
  }
  const [before, after] = [sorted[low] ?? 0, sorted[high] ?? 0]
  return wanted - before <= after - wanted ? low : Math.max(low, high)
}

function brushOf(options: TraceOptions): PlotBrush | undefined {
  const { onBrush } = options
  if (onBrush === undefined) return undefined
  return {
    kind: 'interval',
    choose: (area, size) => {
      if (area === undefined) return onBrush(undefined)
      const { x } = scalesOf(options, size)
      const ends = [x.invert(area.x0), x.invert(area.x1)].sort((a, b) => a - b)
      onBrush([Math.max(0, Math.round(ends[0] ?? 0)), Math.max(1, Math.round(ends[1] ?? 1))])
    },
  }
}

function zoomOf(options: TraceOptions): PlotZoom | undefined {
  const { onWindow, window, chains } = options
  if (onWindow === undefined) return undefined
  const end = Math.max(1, ...chains.map(({ length }) => length))
  const want = (start: number, width: number) => {
    const wide = Math.max(CLOSEST, Math.round(width))
    if (wide >= end) return onWindow(undefined)
    const first = Math.max(0, Math.min(Math.round(start), end - wide))
    onWindow([first, first + wide])
  }
  return {
    by: (factor, px, size) => {
      const centre = scalesOf(options, size).x.invert(px)
      want(centre - (centre - window[0]) * factor, (window[1] - window[0]) * factor)
    },
    pan: (pixels, size) => {
      const { x } = scalesOf(options, size)
      want(window[0] + x.invert(pixels) - x.invert(0), window[1] - window[0])
    },
    reset: () => onWindow(undefined),
  }
}

function tableOf(chains: readonly TracedChain[]): PlotTable {
  const rows = chains.flatMap(({ chain, at, values }) =>
    [...at].map((iteration, i) => [chain, iteration, values[i] ?? null]),
  )
  return { columns: ['chain', 'iteration', 'value'], rows }
}
