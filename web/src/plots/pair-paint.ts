/** Painting of many points: one by one, or as small cells that are the darker the more points they have. */
import type { Painter, PathSink } from '../paint/painter.ts'
import type { Frame } from '../paint/scale.ts'

/** Points by look; places outside of the frame are left out. */
export interface Dots {
  /** Pixels. */
  readonly x: Float64Array
  readonly y: Float64Array
  /** The look of each point, a place in `colours`; the first one's when absent. */
  readonly look?: Uint8Array | undefined
  readonly colours: readonly string[]
}

/** Points that are painted one by one at most. */
const SINGLE = 6_000
/** Shapes of a path: a long one of overlapping shapes takes far more time than many short ones. */
const PIECE = 32
/** Pixels of a cell. */
const CELL = 2
/** Opacity of cells with 1, up to 3, up to 7 … points. */
const LEVELS = [0.35, 0.5, 0.65, 0.8, 0.95]

export function paintDots(painter: Painter, frame: Frame, dots: Dots, radius: number): void {
  if (dots.x.length > SINGLE) paintCells(painter, frame, dots)
  else paintSingle(painter, dots, radius)
}

function paintSingle(painter: Painter, { x, y, look, colours }: Dots, radius: number): void {
  const opacity = x.length > 2_000 ? 0.4 : 0.55
  for (const [rank, fill] of colours.entries()) {
    const own: number[] = []
    for (let i = 0; i < x.length; i++) if ((look?.[i] ?? 0) === rank) own.push(i)
    inPieces(painter, own, { fill, opacity }, (sink, i) => octagon(sink, x[i] as number, y[i] as number, radius))
  }
}

function inPieces<T>(
  painter: Painter,
  shapes: readonly T[],
  ink: { readonly fill: string; readonly opacity: number },
  build: (sink: PathSink, shape: T) => void,
): void {
  for (let start = 0; start < shapes.length; start += PIECE) {
    painter.path((sink) => {
      for (let i = start; i < Math.min(shapes.length, start + PIECE); i++) build(sink, shapes[i] as T)
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

/** Cells in the colour of the look that has most points there; neighbours that are alike are one rectangle. */
function paintCells(painter: Painter, frame: Frame, dots: Dots): void {
  const columns = Math.ceil(frame.width / CELL)
  const kinds = kindsOf(dots, frame, columns, Math.ceil(frame.height / CELL))
  const runs: (readonly [place: number, length: number])[][] = dots.colours.flatMap(() => LEVELS.map(() => []))
  for (const run of runsOf(kinds, columns)) runs[(kinds[run[0]] as number) - 1]?.push(run)
  for (const [kind, some] of runs.entries()) {
    const fill = dots.colours[Math.floor(kind / LEVELS.length)] as string
    inPieces(painter, some, { fill, opacity: LEVELS[kind % LEVELS.length] as number }, (sink, [place, length]) => {
      const [column, row] = [place % columns, Math.floor(place / columns)]
      sink.rect(frame.left + column * CELL, frame.top + row * CELL, length * CELL, CELL)
    })
  }
}

/** The kind of each cell, by look and level, from 1 on; 0 where there is no point. */
function kindsOf({ x, y, look, colours }: Dots, frame: Frame, columns: number, rows: number): Uint8Array {
  const size = columns * rows
  const counts = colours.map(() => new Uint16Array(size))
  for (let i = 0; i < x.length; i++) {
    const column = Math.floor(((x[i] as number) - frame.left) / CELL)
    const row = Math.floor(((y[i] as number) - frame.top) / CELL)
    const own = counts[look?.[i] ?? 0]
    if (column >= 0 && row >= 0 && column < columns && row < rows && own !== undefined) {
      own[row * columns + column] = (own[row * columns + column] as number) + 1
    }
  }
  const kinds = new Uint8Array(size)
  for (let place = 0; place < size; place++) {
    let [total, most, best] = [0, 0, 0]
    for (let rank = 0; rank < counts.length; rank++) {
      const count = (counts[rank] as Uint16Array)[place] as number
      total += count
      if (count > most) {
        most = count
        best = rank
      }
    }
    if (total > 0) kinds[place] = best * LEVELS.length + Math.min(LEVELS.length, 32 - Math.clz32(total))
  }
  return kinds
}

/** Runs of cells in a row that are of one kind, which is not 0: place of the first, and their number. */
export function runsOf(
  kinds: ArrayLike<number>,
  columns: number,
): readonly (readonly [place: number, length: number])[] {
  const runs: [number, number][] = []
  let open: [number, number] | undefined
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i] as number
    if (kind === 0) open = undefined
    else if (open !== undefined && i % columns !== 0 && kinds[i - 1] === kind) open[1]++
    else {
      open = [i, 1]
      runs.push(open)
    }
  }
  return runs
}
