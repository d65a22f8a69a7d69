/** Forest: intervals of many scalars below each other, of 50 % and 89 %, with their median (`plot_forest`). */
import { bottomAxis } from '../paint/axes.ts'
import { significant } from '../paint/number.ts'
import type { Painter, Size } from '../paint/painter.ts'
import { extentOf, frameOf, linear, type Scale } from '../paint/scale.ts'
import type { Theme } from '../paint/theme.ts'
import type { Plot } from './plot.ts'

export interface ForestRow {
  readonly variable: string
  readonly label: string
  readonly median: number
  /** NaN where there is none, as of too few draws. */
  readonly inner: readonly [number, number]
  readonly outer: readonly [number, number]
  /** R-hat, where it is so large that the row is marked. */
  readonly rhat?: number | undefined
}

export interface ForestOptions {
  readonly title: string
  readonly rows: readonly ForestRow[]
  readonly note?: string | undefined
  readonly python?: string | undefined
}

/** Pixels of a row, of the room above a group, and around all of them. */
const ROW = 20
const GAP = 8
const AROUND = { top: 10, bottom: 30 }
const LETTER = 6.2

/** Pixels that so many rows take. */
export function forestHeight(rows: readonly Pick<ForestRow, 'variable'>[]): number {
  return AROUND.top + AROUND.bottom + (placesOf(rows).at(-1) ?? 0) + ROW
}

/** Top of each row below the first: variables stand a little apart. */
export function placesOf(rows: readonly Pick<ForestRow, 'variable'>[]): readonly number[] {
  let y = 0
  return rows.map(({ variable }, i) => {
    const before = rows[i - 1]
    if (before !== undefined) y += ROW + (before.variable === variable ? 0 : GAP)
    return y
  })
}

/** Pixels for the longest label, within a share of the width. */
export function labelRoom(labels: readonly string[], width: number): number {
  const longest = Math.max(0, ...labels.map(({ length }) => length))
  return Math.min(24 + LETTER * longest, 0.42 * width)
}

/** A label that fits into so many pixels. */
export function fitting(label: string, room: number): string {
  const most = Math.max(3, Math.floor((room - 12) / LETTER))
  return label.length <= most ? label : `${label.slice(0, most - 1)}…`
}

export function forestPlot(options: ForestOptions): Plot {
  const { title, rows, note, python } = options
  return {
    title,
    canonical: 'plot_forest',
    sentence: sentenceOf(rows),
    note,
    python,
    draw: (painter, size, theme) => drawRows(painter, size, theme, rows),
    table: () => ({
      columns: ['scalar', 'median', '5.5 %', '25 %', '75 %', '94.5 %', 'R-hat above 1.01'],
      rows: rows.map(({ label, median, inner, outer, rhat }) =>
        [label, median, outer[0], inner[0], inner[1], outer[1], rhat ?? null].map((cell) =>
          typeof cell === 'number' && Number.isNaN(cell) ? null : cell,
        ),
      ),
    }),
    cursor: {
      count: rows.length,
      nearest: (_x, y) => {
        const distances = placesOf(rows).map((top) => Math.abs(AROUND.top + top + ROW / 2 - y))
        return distances.indexOf(Math.min(...distances))
      },
      text: (place) => textOf(rows[place]),
      draw: (painter, size, theme, place) => {
        const top = AROUND.top + (placesOf(rows)[place] ?? 0)
        painter.rect(0, top, size.width, ROW, { fill: theme.accent, opacity: 0.1 })
      },
    },
  }
}

function drawRows(painter: Painter, size: Size, theme: Theme, rows: readonly ForestRow[]): void {
  const room = labelRoom(
    rows.map(({ label }) => label),
    size.width,
  )
  const frame = frameOf(size, { left: room, right: 14, ...AROUND })
  const [low, high] = extentOf(rows.flatMap(({ outer, inner, median }) => [...outer, ...inner, median]))
  const edge = 0.03 * (high - low)
  const x = linear([low - edge, high + edge], [frame.left, frame.right])
  bottomAxis(painter, frame, x, theme, { grid: 'shown' })
  if (low < 0 && high > 0) painter.line(x(0), frame.top, x(0), frame.bottom, { stroke: theme.axis, dash: [3, 3] })
  for (const [i, top] of placesOf(rows).entries()) {
    const row = rows[i]
    if (row === undefined) continue
    const y = frame.top + top + ROW / 2
    const fill = row.rhat === undefined ? theme.ink : theme.bad
    const mark = row.rhat === undefined ? '' : '! '
    painter.text(room - 8, y, mark + fitting(row.label, room - mark.length * LETTER), {
      fill,
      align: 'end',
      baseline: 'middle',
    })
    drawRow(painter, x, y, row, theme)
  }
}

function drawRow(painter: Painter, x: Scale, y: number, { median, inner, outer, rhat }: ForestRow, theme: Theme): void {
  const colour = rhat === undefined ? theme.accent : theme.bad
  if (Number.isFinite(outer[0])) painter.line(x(outer[0]), y, x(outer[1]), y, { stroke: colour, width: 1.5 })
  if (Number.isFinite(inner[0])) painter.line(x(inner[0]), y, x(inner[1]), y, { stroke: colour, width: 4.5 })
  if (Number.isFinite(median)) painter.circle(x(median), y, 3.5, { fill: theme.paper, stroke: colour, width: 1.75 })
  else if (!Number.isFinite(outer[0]))
    painter.text(x(x.domain[0]) + 8, y, 'no figures yet', { fill: theme.quiet, baseline: 'middle' })
}

function textOf(row: ForestRow | undefined): string {
  if (row === undefined) return ''
  const { label, median, inner, outer, rhat } = row
  if (!Number.isFinite(median)) return `${label}: no figures yet`
  const range = ([from, to]: readonly [number, number]) => `${significant(from)} to ${significant(to)}`
  const blame = rhat === undefined ? '' : `; R-hat ${significant(rhat, 4)}`
  return `${label}: median ${significant(median)}, 50 % ${range(inner)}, 89 % ${range(outer)}${blame}`
}

function sentenceOf(rows: readonly ForestRow[]): string {
  const known = rows.filter(({ median }) => Number.isFinite(median)).sort((a, b) => a.median - b.median)
  const [least] = known
  const greatest = known.at(-1)
  const many = rows.length === 1 ? 'Intervals of 1 scalar' : `Intervals of ${rows.length} scalars`
  if (least === undefined || greatest === undefined) return `${many}, of which none has figures yet.`
  if (least === greatest) return `${many}: the median of ${least.label} is ${significant(least.median)}.`
  return `${many}; medians from ${significant(least.median)} of ${least.label} to ${significant(greatest.median)} of ${greatest.label}.`
}
