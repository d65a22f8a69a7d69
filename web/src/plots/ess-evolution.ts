/** Growth of the effective sample size with the draws, and the size that is wanted (`plot_ess_evolution`). */
import type { Evolution } from '../draws/questions.ts'
import { bottomAxis, leftAxis } from '../paint/axes.ts'
import { count } from '../paint/number.ts'
import { type Painter, polyline, type Size } from '../paint/painter.ts'
import { extentOf, type Frame, frameOf, linear, niceDomain, type Scale } from '../paint/scale.ts'
import type { Theme } from '../paint/theme.ts'
import type { Plot, PlotCursor, PlotTable } from './plot.ts'
import { nearestIn } from './trace.ts'

export interface EssEvolutionOptions {
  readonly title: string
  /** Scalar whose ESS it is, or the words for several: `the worst scalars`. */
  readonly label: string
  /** Points along the draws of all chains, rising; NaN where there is no ESS. */
  readonly evolution: Evolution
  /** Least ESS of all scalars as it was told while the run grew, drawn as rings. */
  readonly told?: Evolution | undefined
  /** ESS that is wanted; absent where nothing is. */
  readonly target?: number | undefined
  /** When the target is reached, as words: `ESS 400 in about 2 min`. */
  readonly outlook?: string | undefined
  readonly note?: string | undefined
  readonly python?: string | undefined
}

interface Line {
  readonly name: string
  readonly values: Float64Array
  readonly colour: (theme: Theme) => string
  readonly dash: readonly number[] | undefined
}

interface Scales {
  readonly frame: Frame
  readonly x: Scale
  readonly y: Scale
}

/** Pixels that the names of lines take behind their ends. */
const NAMES_WIDTH = 34
/** Pixels between two names of lines. */
const NAMES_APART = 12

export function essEvolutionPlot(options: EssEvolutionOptions): Plot {
  const { title, note, python, evolution } = options
  return {
    title,
    canonical: 'plot_ess_evolution',
    sentence: sentenceOf(options),
    note,
    python,
    draw: (painter, size, theme) => {
      const scales = scalesOf(options, size)
      const { frame, x, y } = scales
      leftAxis(painter, frame, y, theme, { label: 'ESS' })
      bottomAxis(painter, frame, x, theme, { label: 'draws of all chains' })
      drawTarget(painter, scales, options, theme)
      for (const line of linesOf(evolution)) drawLine(painter, scales, evolution.draws, line, theme)
      if (options.told !== undefined) drawTold(painter, scales, options.told, theme)
      drawNames(painter, scales, evolution, theme)
    },
    table: () => tableOf(evolution),
    cursor: cursorOf(options),
  }
}

function linesOf({ bulk, tail }: Evolution): readonly Line[] {
  return [
    { name: 'bulk', values: bulk, colour: ({ accent }) => accent, dash: undefined },
    { name: 'tail', values: tail, colour: ({ warn }) => warn, dash: [5, 3] },
  ]
}

function scalesOf({ evolution, target = 0 }: EssEvolutionOptions, size: Size): Scales {
  const frame = frameOf(size, { left: 56, right: NAMES_WIDTH })
  const { draws, bulk, tail } = evolution
  const most = Math.max(extentOf(bulk, tail)[1], 1.1 * target)
  return {
    frame,
    x: linear([0, draws.at(-1) ?? 1], [frame.left, frame.right]),
    y: linear(niceDomain([0, most]), [frame.bottom, frame.top]),
  }
}

function drawTarget(painter: Painter, { frame, y }: Scales, { target }: EssEvolutionOptions, theme: Theme): void {
  if (target === undefined) return
  painter.line(frame.left, y(target), frame.right, y(target), { stroke: theme.quiet, dash: [2, 3] })
  painter.text(frame.left + 6, y(target) - 4, `target ${count(target)}`, { fill: theme.quiet })
}

function drawLine(painter: Painter, { frame, x, y }: Scales, draws: Float64Array, line: Line, theme: Theme): void {
  const { values, colour, dash } = line
  const stroke = colour(theme)
  painter.clip(frame.left, frame.top, frame.width, frame.height, () => {
    painter.path(
      (sink) =>
        polyline(
          sink,
          draws.length,
          (i) => x(draws[i] as number),
          (i) => y(values[i] as number),
        ),
      { stroke, width: 1.5, dash },
    )
  })
  if (draws.length > 60) return
  for (const [i, value] of values.entries()) {
    if (Number.isFinite(value)) painter.circle(x(draws[i] as number), y(value), 2, { fill: stroke })
  }
}

function drawTold(painter: Painter, { frame, x, y }: Scales, told: Evolution, theme: Theme): void {
  painter.clip(frame.left, frame.top, frame.width, frame.height, () => {
    for (const { values, colour } of linesOf(told)) {
      for (const [i, value] of values.entries()) {
        if (!Number.isFinite(value)) continue
        painter.circle(x(told.draws[i] as number), y(value), 3, { stroke: colour(theme), width: 1 })
      }
    }
  })
}

/** Names of the lines behind their ends, moved apart where they meet. */
function drawNames(painter: Painter, { frame, y }: Scales, evolution: Evolution, theme: Theme): void {
  const ends = linesOf(evolution)
    .map(({ name, values, colour }) => ({ name, colour, at: y(lastOf(values)) }))
    .filter(({ at }) => Number.isFinite(at))
    .sort((a, b) => a.at - b.at)
  const [first, second] = ends
  const gap = first === undefined || second === undefined ? NAMES_APART : second.at - first.at
  const move = Math.max(0, NAMES_APART - gap) / 2
  for (const { name, colour, at } of ends) {
    const place = at + (name === first?.name ? -move : move)
    painter.text(frame.right + 5, place, name, { fill: colour(theme), baseline: 'middle', weight: 600 })
  }
}

/** The last value that is a number; NaN without one. */
function lastOf(values: Float64Array): number {
  return values.findLast((value) => Number.isFinite(value)) ?? Number.NaN
}

function essText(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? 'none' : count(value)
}

function sentenceOf({ label, evolution, target, outlook }: EssEvolutionOptions): string {
  const { draws, bulk, tail } = evolution
  const last = draws.at(-1)
  if (last === undefined) return `ESS of ${label}: too few draws.`
  return [
    `ESS of ${label} at ${count(last)} draws: bulk ${essText(lastOf(bulk))}, tail ${essText(lastOf(tail))}`,
    ...(target === undefined ? [] : [`; the target is ${count(target)}`]),
    ...(outlook === undefined ? [] : [`; ${outlook}`]),
    '.',
  ].join('')
}

function cursorOf(options: EssEvolutionOptions): PlotCursor {
  const { draws, bulk, tail } = options.evolution
  return {
    count: draws.length,
    nearest: (px, _py, size) => nearestIn(draws, scalesOf(options, size).x.invert(px)),
    text: (place) =>
      `At ${count(draws[place] ?? 0)} draws: bulk ESS ${essText(bulk[place])}, tail ESS ${essText(tail[place])}`,
    draw: (painter, size, theme, place) => {
      const { frame, x, y } = scalesOf(options, size)
      const at = x(draws[place] ?? 0)
      painter.line(at, frame.top, at, frame.bottom, { stroke: theme.axis })
      for (const { values, colour } of linesOf(options.evolution)) {
        const value = values[place] ?? Number.NaN
        if (Number.isFinite(value)) painter.circle(at, y(value), 3.5, { fill: colour(theme), stroke: theme.paper })
      }
    },
  }
}

function tableOf({ draws, bulk, tail }: Evolution): PlotTable {
  const cell = (value: number | undefined) => (value === undefined || !Number.isFinite(value) ? null : value)
  return {
    columns: ['draws', 'ess_bulk', 'ess_tail'],
    rows: [...draws].map((each, i) => [each, cell(bulk[i]), cell(tail[i])]),
  }
}
