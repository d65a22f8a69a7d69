/** Forest of several runs: for each scalar an interval of each run, below each other (`plot_forest` of several models). */
import { bottomAxis } from '../paint/axes.ts'
import { significant } from '../paint/number.ts'
import type { Painter, Size } from '../paint/painter.ts'
import { extentOf, type Frame, frameOf, linear, type Scale } from '../paint/scale.ts'
import { chainLook, type Theme } from '../paint/theme.ts'
import { fitting, labelRoom } from './forest.ts'
import { LEGEND_ROOM, legend, shortName } from './legend.ts'
import type { Plot } from './plot.ts'

export interface ComparedInterval {
  readonly mean: number
  /** Ends of the interval; NaN where there is none. */
  readonly ends: readonly [number, number]
}

export interface CompareForestOptions {
  /** Names of the runs, in the order of their colours. */
  readonly runs: readonly string[]
  readonly rows: readonly { readonly label: string; readonly cells: readonly (ComparedInterval | undefined)[] }[]
  readonly note?: string | undefined
  readonly python?: string | undefined
}

/** Pixels of an interval, and between two scalars. */
const LINE = 11
const GAP = 9
const AROUND = { top: LEGEND_ROOM + 4, bottom: 30 }

export function compareForestHeight(runs: number, rows: number): number {
  return AROUND.top + AROUND.bottom + rows * (runs * LINE + GAP)
}

export function compareForestPlot(options: CompareForestOptions): Plot {
  const { runs, rows, note, python } = options
  const tall = runs.length * LINE + GAP
  return {
    title: 'Means and 89 % intervals, side by side',
    canonical: 'plot_forest',
    sentence: sentenceOf(options),
    note,
    python,
    draw: (painter, size, theme) => drawAll(painter, size, theme, options),
    table: () => ({
      columns: ['scalar', 'run', 'mean', '5.5 %', '94.5 %'],
      rows: rows.flatMap(({ label, cells }) =>
        cells.flatMap((cell, i) =>
          cell === undefined ? [] : [[label, runs[i] ?? '', ...[cell.mean, ...cell.ends].map(finiteOrNull)]],
        ),
      ),
    }),
    cursor: {
      count: rows.length,
      nearest: (_x, y) => Math.max(0, Math.min(rows.length - 1, Math.floor((y - AROUND.top) / tall))),
      text: (place) => textOf(options, place),
      draw: (painter, size, theme, place) =>
        painter.rect(0, AROUND.top + place * tall, size.width, tall, { fill: theme.accent, opacity: 0.1 }),
    },
  }
}

function finiteOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : value
}

function drawAll(painter: Painter, size: Size, theme: Theme, { runs, rows }: CompareForestOptions): void {
  const room = labelRoom(
    rows.map(({ label }) => label),
    size.width,
  )
  const frame = frameOf(size, { left: room, right: 14, ...AROUND })
  const values = rows.flatMap(({ cells }) =>
    cells.flatMap((cell) => (cell === undefined ? [] : [cell.mean, ...cell.ends])),
  )
  const [low, high] = extentOf(values)
  const edge = 0.03 * (high - low)
  const x = linear([low - edge, high + edge], [frame.left, frame.right])
  drawLegend(painter, { ...frame, left: 8 }, theme, runs)
  bottomAxis(painter, frame, x, theme, { grid: 'shown' })
  if (low < 0 && high > 0) painter.line(x(0), frame.top, x(0), frame.bottom, { stroke: theme.axis, dash: [3, 3] })
  const tall = runs.length * LINE + GAP
  for (const [i, { label, cells }] of rows.entries()) {
    const top = frame.top + i * tall + GAP / 2
    const middle = top + (runs.length * LINE) / 2
    painter.text(room - 8, middle, fitting(label, room), { fill: theme.ink, align: 'end', baseline: 'middle' })
    for (const [run, cell] of cells.entries()) {
      if (cell !== undefined) drawCell(painter, x, top + (run + 0.5) * LINE, cell, chainLook(theme, run, runs.length))
    }
  }
}

function drawLegend(painter: Painter, frame: Frame, theme: Theme, runs: readonly string[]): void {
  const entries = runs.map((run, i) => {
    const { colour, dash } = chainLook(theme, i, runs.length)
    return { label: shortName(run), colour, dash, mark: 'line' as const }
  })
  legend(painter, frame, entries, theme)
}

function drawCell(
  painter: Painter,
  x: Scale,
  y: number,
  { mean, ends }: ComparedInterval,
  { colour, dash }: ReturnType<typeof chainLook>,
): void {
  if (Number.isFinite(ends[0]) && Number.isFinite(ends[1])) {
    painter.line(x(ends[0]), y, x(ends[1]), y, { stroke: colour, width: 2, dash })
  }
  if (Number.isFinite(mean)) painter.circle(x(mean), y, 3.5, { fill: colour })
}

function textOf({ runs, rows }: CompareForestOptions, place: number): string {
  const row = rows[place]
  if (row === undefined) return ''
  const texts = row.cells.flatMap((cell, i) => {
    if (cell === undefined || !Number.isFinite(cell.mean)) return [`${runs[i]}: none`]
    const ends = Number.isFinite(cell.ends[0]) ? ` (${significant(cell.ends[0])} to ${significant(cell.ends[1])})` : ''
    return [`${runs[i]}: ${significant(cell.mean)}${ends}`]
  })
  return `${row.label}: ${texts.join('; ')}`
}

function sentenceOf({ runs, rows }: CompareForestOptions): string {
  const many = rows.length === 1 ? '1 scalar' : `${rows.length} scalars`
  return `Means and 89 % intervals of ${many} in ${runs.length} runs: ${runs.join(', ')}.`
}
