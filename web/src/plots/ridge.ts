/** Ridge: densities of many scalars below each other (`plot_ridge`). */
import type { Density } from '../draws/questions.ts'
import { bottomAxis } from '../paint/axes.ts'
import { count, significant } from '../paint/number.ts'
import type { Painter, Size } from '../paint/painter.ts'
import { extentOf, frameOf, linear } from '../paint/scale.ts'
import type { Theme } from '../paint/theme.ts'
import { fitting, labelRoom } from './forest.ts'
import type { Plot, PlotTable } from './plot.ts'

export interface RidgeRow {
  readonly label: string
  /** Undefined while it is on its way. */
  readonly density: Density | undefined
}

export interface RidgeOptions {
  readonly title: string
  readonly rows: readonly RidgeRow[]
  readonly note?: string | undefined
  readonly python?: string | undefined
}

const ROW = 26
/** Rows that a peak reaches over. */
const OVER = 1.9
const AROUND = { top: 34, bottom: 30 }

export function ridgeHeight(rows: number): number {
  return AROUND.top + AROUND.bottom + ROW * rows
}

export function ridgePlot(options: RidgeOptions): Plot {
  const { title, rows, note, python } = options
  return {
    title,
    canonical: 'plot_ridge',
    sentence: sentenceOf(rows),
    note,
    python,
    draw: (painter, size, theme) => drawRows(painter, size, theme, rows),
    table: () => tableOf(rows),
    cursor: {
      count: rows.length,
      nearest: (_x, y) => Math.max(0, Math.min(rows.length - 1, Math.floor((y - AROUND.top) / ROW))),
      text: (place) => textOf(rows[place]),
      draw: (painter, size, theme, place) =>
        painter.rect(0, AROUND.top + ROW * place, size.width, ROW, { fill: theme.accent, opacity: 0.1 }),
    },
  }
}

function drawRows(painter: Painter, size: Size, theme: Theme, rows: readonly RidgeRow[]): void {
  const room = labelRoom(
    rows.map(({ label }) => label),
    size.width,
  )
  const frame = frameOf(size, { left: room, right: 14, ...AROUND })
  const x = linear(extentOf(...rows.map(({ density }) => density?.x ?? [])), [frame.left, frame.right])
  bottomAxis(painter, frame, x, theme, { grid: 'shown' })
  for (const [i, { label, density }] of rows.entries()) {
    const base = frame.top + ROW * (i + 1) - 3
    painter.text(room - 8, base - 6, fitting(label, room), { fill: theme.ink, align: 'end', baseline: 'middle' })
    painter.line(frame.left, base, frame.right, base, { stroke: theme.grid })
    if (density === undefined) continue
    const unit = (ROW * OVER - 6) / Math.max(1e-300, ...density.all)
    if (density.isDiscrete) {
      for (const [k, value] of density.x.entries()) {
        painter.line(x(value), base, x(value), base - (density.all[k] ?? 0) * unit, { stroke: theme.accent, width: 3 })
      }
    } else drawDensity(painter, density, { x, base, unit }, theme)
  }
}

function drawDensity(
  painter: Painter,
  density: Density,
  { x, base, unit }: { readonly x: (value: number) => number; readonly base: number; readonly unit: number },
  theme: Theme,
): void {
  const outline = (sink: { moveTo(x: number, y: number): void; lineTo(x: number, y: number): void }) => {
    sink.moveTo(x(density.x[0] ?? 0), base)
    for (const [k, value] of density.x.entries()) sink.lineTo(x(value), base - (density.all[k] ?? 0) * unit)
    sink.lineTo(x(density.x.at(-1) ?? 0), base)
  }
  painter.path(outline, { fill: theme.paper, opacity: 0.75 })
  painter.path(outline, { fill: theme.accent, opacity: 0.25 })
  painter.path(outline, { stroke: theme.accent, width: 1.5 })
}

function modeOf({ x, all }: Density): number {
  let best = 0
  for (let i = 1; i < all.length; i++) if ((all[i] as number) > (all[best] as number)) best = i
  return x[best] ?? Number.NaN
}

function textOf(row: RidgeRow | undefined): string {
  if (row === undefined) return ''
  const { label, density } = row
  if (density === undefined || density.x.length === 0) return `${label}: no density yet`
  const [from, to] = [density.x[0] ?? 0, density.x.at(-1) ?? 0]
  return `${label}: between ${significant(from)} and ${significant(to)}, most at ${significant(modeOf(density))}`
}

function sentenceOf(rows: readonly RidgeRow[]): string {
  const known = rows.filter(({ density }) => density !== undefined)
  const [low, high] = extentOf(...known.map(({ density }) => density?.x ?? []))
  const many = rows.length === 1 ? 'Density of 1 scalar' : `Densities of ${count(rows.length)} scalars`
  return known.length === 0
    ? `${many}, on their way.`
    : `${many}, between ${significant(low)} and ${significant(high)}.`
}

function tableOf(rows: readonly RidgeRow[]): PlotTable {
  return {
    columns: ['scalar', 'value', 'density'],
    rows: rows.flatMap(({ label, density }) =>
      density === undefined ? [] : [...density.x].map((value, k) => [label, value, density.all[k] ?? null]),
    ),
  }
}
