/** One figure of each chain, beside the thresholds that judge it. */
import { bottomAxis, leftAxis } from '../paint/axes.ts'
import { significant } from '../paint/number.ts'
import type { Painter, Size } from '../paint/painter.ts'
import { extentOf, frameOf, linear, niceDomain } from '../paint/scale.ts'
import { chainLook, type Theme } from '../paint/theme.ts'
import type { Plot } from './plot.ts'

export interface ChainFigure {
  readonly chain: number
  /** NaN where there is none. */
  readonly value: number
}

export interface Threshold {
  readonly value: number
  readonly label: string
  readonly status: 'warn' | 'bad' | 'none'
}

export interface ChainDotsOptions {
  readonly title: string
  readonly canonical?: string | undefined
  /** Name of the figure. */
  readonly label: string
  readonly figures: readonly ChainFigure[]
  /** Numbers of all chains of the run, in order. */
  readonly all: readonly number[]
  readonly thresholds?: readonly Threshold[] | undefined
  /** Values that are shown in any case. */
  readonly shown?: readonly number[] | undefined
  readonly note?: string | undefined
  readonly python?: string | undefined
}

export function chainDotsPlot(options: ChainDotsOptions): Plot {
  const { title, canonical, label, figures, note, python } = options
  return {
    title,
    canonical,
    sentence: sentenceOf(options),
    note,
    python,
    draw: (painter, size, theme) => drawDots(painter, size, theme, options),
    table: () => ({
      columns: ['chain', label],
      rows: figures.map(({ chain, value }) => [chain, Number.isNaN(value) ? null : value]),
    }),
    cursor: {
      count: figures.length,
      nearest: (x, _y, size) => {
        const { at } = scalesOf(options, size)
        const places = figures.map((_each, i) => Math.abs(at(i) - x))
        return places.indexOf(Math.min(...places))
      },
      text: (place) => textOf(figures[place], label),
      draw: (painter, size, theme, place) => {
        const { at, y } = scalesOf(options, size)
        const value = figures[place]?.value ?? Number.NaN
        if (Number.isFinite(value)) painter.circle(at(place), y(value), 8, { stroke: theme.ink, width: 1.5 })
      },
    },
  }
}

function scalesOf({ figures, thresholds = [], shown = [] }: ChainDotsOptions, size: Size) {
  const frame = frameOf(size, { left: 52 })
  const values = [...figures.map(({ value }) => value), ...thresholds.map(({ value }) => value), ...shown]
  const y = linear(niceDomain(extentOf(values)), [frame.bottom, frame.top])
  const step = frame.width / Math.max(1, figures.length)
  return { frame, y, step, at: (place: number) => frame.left + step * (place + 0.5) }
}

function drawDots(painter: Painter, size: Size, theme: Theme, options: ChainDotsOptions): void {
  const { figures, all, thresholds = [], label } = options
  const { frame, y, step, at } = scalesOf(options, size)
  leftAxis(painter, frame, y, theme, { label })
  const skip = Math.ceil(24 / step)
  const ticks = figures.flatMap(({ chain }, i) => (i % skip === 0 ? [{ value: at(i), label: String(chain) }] : []))
  const pixels = linear([frame.left, frame.right], [frame.left, frame.right])
  bottomAxis(painter, frame, pixels, theme, { ticks, label: 'chain' })
  for (const { value, label: name, status } of thresholds) {
    const colour = status === 'none' ? theme.quiet : theme[status]
    painter.line(frame.left, y(value), frame.right, y(value), { stroke: colour, dash: [4, 3] })
    // Good figures are above a threshold that judges.
    painter.text(frame.right, y(value) + (status === 'none' ? -4 : 12), name, { fill: colour, align: 'end' })
  }
  for (const [i, { chain, value }] of figures.entries()) {
    if (!Number.isFinite(value)) continue
    const { colour } = chainLook(theme, all.indexOf(chain), all.length)
    painter.line(at(i), frame.bottom, at(i), y(value), { stroke: colour, opacity: 0.5 })
    painter.circle(at(i), y(value), 5, { fill: colour, stroke: theme.paper })
  }
}

function textOf(figure: ChainFigure | undefined, label: string): string {
  if (figure === undefined) return ''
  return `chain ${figure.chain}: ${label} ${Number.isFinite(figure.value) ? significant(figure.value) : 'none'}`
}

function sentenceOf({ label, figures, thresholds = [] }: ChainDotsOptions): string {
  const known = figures.filter(({ value }) => Number.isFinite(value)).sort((a, b) => a.value - b.value)
  const [least] = known
  const greatest = known.at(-1)
  if (least === undefined || greatest === undefined) return `No chain has a figure of ${label}.`
  const lines = thresholds.map(({ value, label: name }) => `${name} at ${significant(value)}`)
  const judged = lines.length === 0 ? '' : `; ${lines.join(', ')}`
  if (known.length === 1) return `${label} is ${significant(least.value)} in chain ${least.chain}${judged}.`
  return `${label} of ${known.length} chains, from ${significant(least.value)} in chain ${least.chain} to ${significant(greatest.value)} in chain ${greatest.chain}${judged}.`
}
