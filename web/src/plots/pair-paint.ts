/** Painting of many points: one by one, or as small cells that are the darker the more points they have. */
import type { Painter, PathSink } from '../paint/painter.ts'
import type { Frame } from '../paint/scale.ts'

/** Points of one look. */
export interface Dots {
  readonly colour: string
  /** Pixels; places outside of the frame are left out. */
  readonly x: Float64Array
  readonly y: Float64Array
}

/** Points that are painted one by one at most. */
const SINGLE = 6_000
/** Points of a path: shapes of a longer one take time with its square. */
const PIECE = 1_000
/** Pixels of a cell. */
const CELL = 2
/** Opacity of cells with 1, up to 3, up to 7 … points. */
const LEVELS = [0.3, 0.45, 0.6, 0.75, 0.9]

export function paintDots(painter: Painter, frame: Frame, dots: Dots, radius: number): void {
  if (dots.x.length > SINGLE) paintCells(painter, frame, dots)
  else paintSingle(painter, dots, radius)
}

function paintSingle(painter: Painter, { colour, x, y }: Dots, radius: number): void {
  const ink = { fill: colour, opacity: x.length > 2_000 ? 0.4 : 0.55 }
  for (let start = 0; start < x.length; start += PIECE) {
    painter.path((sink) => {
      for (let i = start; i < Math.min(x.length, start + PIECE); i++)
        octagon(sink, x[i] as number, y[i] as number, radius)
    }, ink)
  }
}

/** Nearly a circle, without the cost of one. */
function octagon(sink: PathSink, x: number, y: number, radius: number): void {
  const inner = 0.4142 * radius
  sink.moveTo(x + radius, y - inner)
  sink.lineTo(x + radius, y + inner)
  sink.lineTo(x + inner, y + radius)
  sink.lineTo(x - inner, y + radius)
  sink.lineTo(x - radius, y + inner)
  sink.lineTo(x - radius, y - inner)
  sink.lineTo(x - inner, y - radius)
  sink.lineTo(x + inner, y - radius)
  sink.closePath()
}

/** Counts of points in cells; neighbours of one level in a row are one rectangle. */
function paintCells(painter: Painter, frame: Frame, { colour, x, y }: Dots): void {
  const columns = Math.ceil(frame.width / CELL)
  const rows = Math.ceil(frame.height / CELL)
  const counts = new Uint32Array(columns * rows)
  for (let i = 0; i < x.length; i++) {
    const column = Math.floor(((x[i] as number) - frame.left) / CELL)
    const row = Math.floor(((y[i] as number) - frame.top) / CELL)
    if (column < 0 || row < 0 || column >= columns || row >= rows) continue
    counts[row * columns + column] = (counts[row * columns + column] as number) + 1
  }
  const level = (count: number) => Math.min(LEVELS.length, 32 - Math.clz32(count))
  for (const [rank, opacity] of LEVELS.entries()) {
    for (const [place, length] of runsOf(counts, columns, (count) => level(count) === rank + 1)) {
      const [column, row] = [place % columns, Math.floor(place / columns)]
      painter.rect(frame.left + column * CELL, frame.top + row * CELL, length * CELL, CELL, { fill: colour, opacity })
    }
  }
}

/** Runs of cells in a row that are alike: place of the first, and their number. */
export function runsOf(
  counts: ArrayLike<number>,
  columns: number,
  isIn: (count: number) => boolean,
): readonly (readonly [place: number, length: number])[] {
  const runs: [number, number][] = []
  let open: [number, number] | undefined
  for (let i = 0; i < counts.length; i++) {
    if (i % columns === 0) open = undefined
    if (!isIn(counts[i] as number)) open = undefined
    else if (open !== undefined) open[1]++
    else {
      open = [i, 1]
      runs.push(open)
    }
  }
  return runs
}
