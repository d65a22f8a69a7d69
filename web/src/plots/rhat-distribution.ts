/** Distribution of R-hat over the scalars of a run, with the thresholds and the worst by name (`plot_convergence_dist`). */
import { bottomAxis, leftAxis } from '../paint/axes.ts'
import { count, percent, rhatText } from '../paint/number.ts'
import type { Painter, Size } from '../paint/painter.ts'
import { extentOf, type Frame, frameOf, linear, niceDomain, type Scale, type Tick, ticksOf } from '../paint/scale.ts'
import type { Theme } from '../paint/theme.ts'
import type { Plot, PlotCursor, PlotTable } from './plot.ts'

export interface RhatDistributionOptions {
  readonly title: string
  /** R-hat of each scalar; NaN where there is none, infinite where each chain stays at another value. */
  readonly rhat: Float64Array
  /** Name of a scalar, by its place. */
  readonly label: (place: number) => string
  readonly note?: string | undefined
  readonly python?: string | undefined
}

/** The threshold of Vehtari et al. (2021), and the one of RStan. */
export const RHAT_WARN = 1.01
export const RHAT_FAIL = 1.05

/** R-hats beyond which all share the last bin: the first is taken that few exceed, so that what lies below stays visible. */
const MOST_SHOWN = [1.3, 2, 5]
const FEW = 0.01
const LEAST_SHOWN = 1.06
/** Widths of bins, of which the first is taken that needs no more than so many. */
const WIDTHS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05]
const MOST_BINS = 64
/** Scalars that the plot names. */
const NAMED = 3

interface Bin {
  readonly low: number
  /** Infinite for the last one, where some lie beyond. */
  readonly high: number
  readonly count: number
}

interface Binned {
  readonly domain: readonly [low: number, high: number]
  readonly bins: readonly Bin[]
  readonly known: number
  /** Places of scalars, the greatest R-hat first. */
  readonly worst: readonly number[]
}

export function rhatDistributionPlot(options: RhatDistributionOptions): Plot {
  const { title, note, python } = options
  const binned = binnedOf(options.rhat)
  return {
    title,
    canonical: 'plot_convergence_dist',
    sentence: sentenceOf(options, binned),
    note,
    python,
    draw: (painter, size, theme) => {
      const { frame, x, y } = scalesOf(binned, size)
      leftAxis(painter, frame, y, theme, { label: 'scalars', ticks: wholeTicks(frame, y) })
      bottomAxis(painter, frame, x, theme, { label: 'R-hat' })
      for (const bin of binned.bins) drawBin(painter, frame, x, y, bin, theme)
      drawThresholds(painter, frame, x, theme)
      drawWorst(painter, frame, options, binned, theme)
    },
    table: () => tableOf(options),
    cursor: cursorOf(binned),
  }
}

/** Places of the greatest of some values, the greatest first; those that are no number are left out. */
export function greatest(values: Float64Array, most: number): readonly number[] {
  const found: number[] = []
  for (const [place, value] of values.entries()) {
    if (Number.isNaN(value) || (found.length === most && value <= (values[found.at(-1) ?? 0] as number))) continue
    const at = found.findIndex((each) => (values[each] as number) < value)
    found.splice(at < 0 ? found.length : at, 0, place)
    if (found.length > most) found.pop()
  }
  return found
}

function capOf(rhat: Float64Array): number {
  const beyond = (cap: number) => rhat.reduce((sum, value) => sum + Number(value > cap), 0)
  return MOST_SHOWN.find((cap) => beyond(cap) <= Math.max(1, FEW * rhat.length)) ?? 5
}

function binnedOf(rhat: Float64Array): Binned {
  const [least, most] = rhat.some(Number.isFinite) ? extentOf(rhat) : [1, 1]
  const top = Math.max(LEAST_SHOWN, Math.min(capOf(rhat), most))
  const bottom = Math.min(0.998, least)
  const width = WIDTHS.find((each) => (top - bottom) / each <= MOST_BINS) ?? 0.1
  // Edges of bins lie on the threshold.
  const below = Math.ceil((RHAT_WARN - bottom) / width)
  const above = Math.ceil((top - RHAT_WARN) / width - 1e-9)
  const counts = new Float64Array(below + above)
  let known = 0
  for (const value of rhat) {
    if (Number.isNaN(value)) continue
    known++
    const bin = Math.max(0, Math.min(counts.length - 1, Math.floor((value - RHAT_WARN) / width) + below))
    counts[bin] = (counts[bin] as number) + 1
  }
  const edge = (i: number) => RHAT_WARN + (i - below) * width
  const worst = greatest(rhat, NAMED)
  const isBeyond = worst.some((place) => (rhat[place] as number) > edge(counts.length))
  const bins = [...counts].map((each, i) => ({
    low: edge(i),
    high: isBeyond && i === counts.length - 1 ? Number.POSITIVE_INFINITY : edge(i + 1),
    count: each,
  }))
  return { domain: [edge(0), edge(counts.length)], bins, known, worst }
}

function scalesOf(
  { domain, bins }: Binned,
  size: Size,
): { readonly frame: Frame; readonly x: Scale; readonly y: Scale } {
  const frame = frameOf(size, { left: 56, right: 18 })
  const most = Math.max(1, ...bins.map((bin) => bin.count))
  return {
    frame,
    x: linear(domain, [frame.left, frame.right]),
    y: linear(niceDomain([0, most]), [frame.bottom, frame.top]),
  }
}

/** Ticks of a count: there is no half scalar. */
function wholeTicks(frame: Frame, y: Scale): readonly Tick[] {
  return ticksOf(y, Math.max(2, Math.floor(frame.height / 34)))
    .filter(({ value }) => Number.isInteger(value))
    .map(({ value }) => ({ value, label: count(value) }))
}

/** A bin's colour is that of its verdict; a single scalar among thousands still shows. */
function drawBin(painter: Painter, frame: Frame, x: Scale, y: Scale, bin: Bin, theme: Theme): void {
  if (bin.count === 0) return
  const right = Number.isFinite(bin.high) ? x(bin.high) : frame.right
  const top = Math.min(y(bin.count), frame.bottom - 2)
  painter.rect(x(bin.low), top, Math.max(1, right - x(bin.low) - 0.5), frame.bottom - top, {
    fill: bin.low > RHAT_FAIL - 1e-9 ? theme.bad : bin.low > RHAT_WARN - 1e-9 ? theme.warn : theme.accent,
  })
}

/** Pixels that a threshold's number takes. */
const NUMBER_WIDTH = 30

function drawThresholds(painter: Painter, frame: Frame, x: Scale, theme: Theme): void {
  const isRoom = x(RHAT_FAIL) - x(RHAT_WARN) > NUMBER_WIDTH
  for (const threshold of [RHAT_WARN, RHAT_FAIL]) {
    painter.line(x(threshold), frame.top, x(threshold), frame.bottom, { stroke: theme.quiet, dash: [2, 3] })
    if (threshold === RHAT_WARN && !isRoom) continue
    painter.text(x(threshold) + 4, frame.top, String(threshold), { fill: theme.quiet, baseline: 'top' })
  }
}

/** Pixels of a letter, on average. */
const LETTER_WIDTH = 6.5

function drawWorst(
  painter: Painter,
  frame: Frame,
  { rhat, label }: RhatDistributionOptions,
  { worst }: Binned,
  theme: Theme,
): void {
  // One is always the greatest; others are worth a name where they are too great.
  const named = worst.filter((place, i) => i === 0 || (rhat[place] as number) > RHAT_WARN)
  for (const [line, place] of named.entries()) {
    const text = `${shortened(label(place))}  ${valueText(rhat[place] as number)}`
    const [right, top] = [frame.right - 14, frame.top + 16 + 14 * line]
    // Bars may stand where the names are.
    const width = text.length * LETTER_WIDTH
    painter.rect(right - width, top - 2, width + 4, 14, { fill: theme.paper, opacity: 0.88 })
    painter.text(right, top, text, { fill: theme.ink, align: 'end', baseline: 'top' })
  }
}

function shortened(label: string): string {
  return label.length <= 32 ? label : `${label.slice(0, 31)}…`
}

function valueText(value: number): string {
  return Number.isFinite(value) ? rhatText(value) : '∞'
}

function sentenceOf({ rhat, label }: RhatDistributionOptions, { known, worst, bins }: Binned): string {
  const [first] = worst
  if (first === undefined || bins.length === 0) return 'No scalar has an R-hat yet.'
  const beyond = rhat.reduce((sum, value) => sum + Number(value > RHAT_WARN), 0)
  const many = known === 1 ? '1 scalar' : `${count(known)} scalars`
  return `R-hat of ${many}: the greatest is ${valueText(rhat[first] as number)} of ${label(first)}; ${count(beyond)} (${percent(beyond / known)}) above ${RHAT_WARN}.`
}

function cursorOf(binned: Binned): PlotCursor {
  const { bins } = binned
  return {
    count: bins.length,
    nearest: (px, _py, size) => {
      const { domain } = binned
      const share = (scalesOf(binned, size).x.invert(px) - domain[0]) / (domain[1] - domain[0])
      return Math.max(0, Math.min(bins.length - 1, Math.floor(share * bins.length)))
    },
    text: (place) => {
      const { low = 0, high = 0, count: many = 0 } = bins[place] ?? {}
      const range = Number.isFinite(high) ? `${low.toFixed(4)} to ${high.toFixed(4)}` : `above ${low.toFixed(4)}`
      return `R-hat ${range}: ${many === 1 ? '1 scalar' : `${count(many)} scalars`}`
    },
    draw: (painter, size, theme, place) => {
      const { frame, x } = scalesOf(binned, size)
      const bin = bins[place]
      if (bin === undefined) return
      const right = Number.isFinite(bin.high) ? x(bin.high) : frame.right
      painter.rect(x(bin.low), frame.top, right - x(bin.low), frame.height, { fill: theme.accent, opacity: 0.12 })
    },
  }
}

function tableOf({ rhat, label }: RhatDistributionOptions): PlotTable {
  const places = [...rhat.keys()].filter((place) => !Number.isNaN(rhat[place]))
  places.sort((a, b) => (rhat[b] as number) - (rhat[a] as number))
  return { columns: ['scalar', 'rhat'], rows: places.map((place) => [label(place), rhat[place] as number]) }
}
