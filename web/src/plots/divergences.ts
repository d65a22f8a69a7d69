/** Divergences over time: their count as it rises, and a mark at each, a row for each chain. */
import type { Brush } from '../draws/questions.ts'
import { bottomAxis, leftAxis } from '../paint/axes.ts'
import { count } from '../paint/number.ts'
import type { Painter, Size } from '../paint/painter.ts'
import { type Frame, frameOf, linear, type Scale } from '../paint/scale.ts'
import { chainLook, type Theme } from '../paint/theme.ts'
import type { Plot } from './plot.ts'

export interface MarkedChain {
  readonly chain: number
  /** Iterations that are looked at, from the first to before the last. */
  readonly first: number
  readonly stop: number
  /** Iterations at which it was so, rising. */
  readonly at: Uint32Array
}

export interface DivergencesOptions {
  readonly chains: readonly MarkedChain[]
  /** Numbers of all chains of the run, in order. */
  readonly all: readonly number[]
  readonly brush?: Brush | undefined
  readonly note?: string | undefined
  readonly python?: string | undefined
  readonly onBrush?: ((interval: readonly [start: number, stop: number] | undefined) => void) | undefined
}

/** Chains that have rows of their own at most: more share one. */
const ROWS = 16
const ROW = 9

interface Scales {
  readonly above: Frame
  readonly below: Frame
  readonly x: Scale
  readonly y: Scale
  readonly row: (place: number) => readonly [top: number, bottom: number]
}

export function divergencesPlot(options: DivergencesOptions): Plot {
  const { chains, note, python, onBrush } = options
  const events = chains
    .flatMap(({ chain, at }) => [...at].map((iteration) => ({ chain, iteration })))
    .sort((a, b) => a.iteration - b.iteration)
  return {
    title: 'Divergences over time',
    sentence: sentenceOf(options),
    note,
    python,
    draw: (painter, size, theme) => drawAll(painter, scalesOf(options, size), theme, options),
    table: () => ({
      columns: ['chain', 'iteration'],
      rows: chains.flatMap(({ chain, at }) => [...at].map((iteration) => [chain, iteration])),
    }),
    cursor: {
      count: events.length,
      nearest: (px, _py, size) => {
        const wanted = scalesOf(options, size).x.invert(px)
        const behind = events.findIndex(({ iteration }) => iteration >= wanted)
        if (behind <= 0) return behind < 0 ? events.length - 1 : 0
        const [before, after] = [events[behind - 1], events[behind]]
        return wanted - (before?.iteration ?? 0) < (after?.iteration ?? 0) - wanted ? behind - 1 : behind
      },
      text: (place) => {
        const event = events[place]
        return event === undefined
          ? ''
          : `draw ${count(event.iteration)} of chain ${event.chain} diverged, the ${ordinal(place + 1)} of ${count(events.length)}`
      },
      draw: (painter, size, theme, place) => {
        const { above, below, x } = scalesOf(options, size)
        const at = x(events[place]?.iteration ?? 0)
        painter.line(at, above.top, at, below.bottom, { stroke: theme.ink })
      },
    },
    brush:
      onBrush === undefined
        ? undefined
        : {
            kind: 'interval',
            choose: (area, size) => {
              if (area === undefined) return onBrush(undefined)
              const { x } = scalesOf(options, size)
              const [from, to] = [x.invert(area.x0), x.invert(area.x1)]
              onBrush([Math.max(0, Math.round(Math.min(from, to))), Math.max(1, Math.round(Math.max(from, to)))])
            },
          },
  }
}

function scalesOf({ chains }: DivergencesOptions, size: Size): Scales {
  const rows = chains.length > ROWS ? 1 : Math.max(1, chains.length)
  const rug = rows * ROW + 6
  const above = frameOf(size, { left: 52, bottom: 36 + rug })
  const below = { ...above, top: above.bottom + 6, bottom: above.bottom + rug, height: rug - 6 }
  const most = Math.max(1, ...chains.map(({ at }) => at.length))
  const domain = [
    Math.min(...chains.map(({ first }) => first)),
    Math.max(1, ...chains.map(({ stop }) => stop)),
  ] as const
  return {
    above,
    below,
    x: linear(domain, [above.left, above.right]),
    y: linear([0, most], [above.bottom, above.top + 4]),
    row: (place) => {
      const top = below.top + (rows === 1 ? 0 : place * ROW)
      return [top + 1, top + ROW - 1]
    },
  }
}

function drawAll(painter: Painter, scales: Scales, theme: Theme, options: DivergencesOptions): void {
  const { above, below, x, y } = scales
  const { chains, all, brush } = options
  const whole = { ...above, bottom: below.bottom, height: below.bottom - above.top }
  if (brush?.kind === 'interval') {
    painter.clip(above.left, above.top, above.width, whole.height, () =>
      painter.rect(x(brush.start), above.top, x(brush.stop) - x(brush.start), whole.height, {
        fill: theme.accent,
        opacity: 0.14,
      }),
    )
  }
  const most = y.domain[1]
  const ticks = most <= 5 ? Array.from({ length: most + 1 }, (_each, i) => ({ value: i, label: String(i) })) : undefined
  leftAxis(painter, above, y, theme, { label: 'so far', ticks })
  bottomAxis(painter, whole, x, theme, { label: 'iteration' })
  for (const [place, each] of chains.entries()) {
    const { colour, dash } = chainLook(theme, all.indexOf(each.chain), all.length)
    drawCount(painter, scales, each, { stroke: colour, dash, width: 1.5, opacity: all.length > 8 ? 0.5 : 1 })
    const [top, bottom] = scales.row(place)
    painter.path(
      (sink) => {
        for (const iteration of each.at) {
          sink.moveTo(x(iteration + 0.5), top)
          sink.lineTo(x(iteration + 0.5), bottom)
        }
      },
      { stroke: all.length > 8 ? theme.bad : colour, width: 1.25 },
    )
  }
}

function drawCount(
  painter: Painter,
  { x, y }: Scales,
  { first, stop, at }: MarkedChain,
  ink: { stroke: string; dash: readonly number[] | undefined; width: number; opacity: number },
): void {
  painter.path((sink) => {
    sink.moveTo(x(first), y(0))
    for (const [i, iteration] of at.entries()) {
      sink.lineTo(x(iteration), y(i))
      sink.lineTo(x(iteration), y(i + 1))
    }
    sink.lineTo(x(stop), y(at.length))
  }, ink)
}

function ordinal(place: number): string {
  const ends: Readonly<Record<number, string>> = { 1: 'st', 2: 'nd', 3: 'rd' }
  const teen = Math.floor((place % 100) / 10) === 1
  return `${count(place)}${teen ? 'th' : (ends[place % 10] ?? 'th')}`
}

function sentenceOf({ chains }: DivergencesOptions): string {
  const all = chains.reduce((sum, { at }) => sum + at.length, 0)
  const draws = chains.reduce((sum, { first, stop }) => sum + stop - first, 0)
  if (all === 0) return `None of ${count(draws)} draws diverged.`
  const marked = chains.filter(({ at }) => at.length > 0)
  const told = marked.slice(0, 8).map(({ chain, at }) => `${count(at.length)} in chain ${chain}`)
  const more = marked.length > 8 ? [`others in ${marked.length - 8} more chains`] : []
  return `${count(all)} of ${count(draws)} draws diverged: ${[...told, ...more].join(', ')}.`
}
