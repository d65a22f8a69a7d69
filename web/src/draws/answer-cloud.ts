/** Answers with two scalars against each other: as points, or as counts in cells where there are many. */
import { brushedValues } from './brushed.ts'
import type { Part } from './chains.ts'
import type { Desk } from './desk.ts'
import type { Ask, Cloud } from './questions.ts'
import type { Steps } from './turns.ts'

/** Points that are told one by one. */
const MOST_POINTS = 100_000
/** Draws of a brush that are told beside cells. */
const MOST_BRUSHED = 20_000

export async function answerCloud(desk: Desk, ask: Ask<'cloud'>): Promise<Cloud> {
  const { parts } = await desk.moment(ask.choice)
  const flags = desk.diverging.map(({ name }) => ({ group: 'stats', name, element: 0 }) as const)
  const [xs = [], ys = [], ...marks] = await desk.draws([ask.x, ask.y, ...flags], parts)
  return desk.compute(cloudOf(parts, { xs, ys, marks }, ask))
}

/** Values of each part: of both scalars, and of the stats that tell divergences. */
interface Drawn {
  readonly xs: readonly Float64Array[]
  readonly ys: readonly Float64Array[]
  readonly marks: readonly (readonly Float64Array[])[]
}

type Points = NonNullable<Cloud['points']>

function* cloudOf(parts: readonly Part[], { xs, ys, marks }: Drawn, ask: Ask<'cloud'>): Steps<Cloud> {
  const count = parts.reduce((n, { first, stop }) => n + stop - first, 0)
  const ranges = { x: rangeOf(xs), y: rangeOf(ys) }
  yield
  const isDiverging = (part: number, draw: number) => marks.some((stat) => (stat[part]?.[draw] ?? 0) > 0)
  const diverging = pointsOf(parts, { xs, ys }, isDiverging)
  yield
  const base = { count, ...ranges, diverging }
  if (count <= MOST_POINTS) return { ...base, points: pointsOf(parts, { xs, ys }, () => true) }
  const columns = Math.max(1, Math.floor(ask.bins))
  const log = (['x', 'y'] as const).filter((axis) => ask.log?.includes(axis) && ranges[axis][0] > 0)
  const [inColumn, inRow] = (['x', 'y'] as const).map((axis) => cellsOf(ranges[axis], columns, log.includes(axis)))
  const counts = new Float64Array(columns * columns)
  for (const [i, values] of xs.entries()) {
    if (inColumn !== undefined && inRow !== undefined) addCells(counts, values, ys[i] ?? values, inColumn, inRow)
    yield
  }
  const grid = { columns, rows: columns, counts, ...(log.length > 0 && { log }) }
  if (ask.brush === undefined) return { ...base, grid }
  const [x = new Float64Array(), y = x] = brushedValues(parts, [xs, ys], ask.brush, MOST_BRUSHED)
  return { ...base, grid, brushed: { x, y } }
}

function rangeOf(chains: readonly Float64Array[]): readonly [least: number, greatest: number] {
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const values of chains) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number
      if (value < least && value > Number.NEGATIVE_INFINITY) least = value
      if (value > greatest && value < Number.POSITIVE_INFINITY) greatest = value
    }
  }
  return least <= greatest ? [least, greatest] : [Number.NaN, Number.NaN]
}

function pointsOf(
  parts: readonly Part[],
  { xs, ys }: Omit<Drawn, 'marks'>,
  isIn: (part: number, draw: number) => boolean,
): Points {
  const chosen = parts.map(({ first, stop }, part) => {
    return Array.from({ length: stop - first }, (_, i) => i).filter((i) => isIn(part, i))
  })
  const size = chosen.reduce((n, { length }) => n + length, 0)
  const points = {
    x: new Float64Array(size),
    y: new Float64Array(size),
    chain: new Uint16Array(size),
    at: new Uint32Array(size),
  }
  let place = 0
  for (const [part, { chain, first }] of parts.entries()) {
    for (const draw of chosen[part] ?? []) {
      points.x[place] = xs[part]?.[draw] ?? Number.NaN
      points.y[place] = ys[part]?.[draw] ?? Number.NaN
      points.chain[place] = chain
      points.at[place++] = first + draw
    }
  }
  return points
}

/** The cell of a value along an axis; NaN where it has none. */
type CellOf = (value: number) => number

function cellsOf([least, greatest]: readonly [number, number], cells: number, isLog: boolean): CellOf {
  const place = isLog ? Math.log : (value: number) => value
  const from = place(least)
  const width = (place(greatest) - from) / cells
  if (!(width > 0)) return (value) => (value === least ? 0 : Number.NaN)
  return (value) => {
    if (!(value >= least && value <= greatest)) return Number.NaN
    return Math.min(cells - 1, Math.floor((place(value) - from) / width))
  }
}

function addCells(counts: Float64Array, xs: Float64Array, ys: Float64Array, inColumn: CellOf, inRow: CellOf): void {
  const columns = Math.round(Math.sqrt(counts.length))
  for (let i = 0; i < xs.length; i++) {
    const place = inRow(ys[i] as number) * columns + inColumn(xs[i] as number)
    if (place >= 0) counts[place] = (counts[place] as number) + 1
  }
}
