/** Figures of a vector as a strip of cells, the worst of its elements in each; a mark says what its colour says. */
import type { Painter, Size } from '../paint/painter.ts'
import type { Theme } from '../paint/theme.ts'

/** Badness of a figure, from 0 to 4; −1 where there is none. */
export type Grade = -1 | 0 | 1 | 2 | 3 | 4

export interface HeatStrip {
  /** Grade of each element. */
  readonly grades: Int8Array
  /** Elements that are chosen, from the first to before the last. */
  readonly chosen?: readonly [first: number, stop: number] | undefined
  readonly cursor?: number | undefined
}

/** Bounds between the grades of R-hat; the third and fourth are those of the checks. */
export const RHAT_BOUNDS = [1.005, 1.01, 1.05, 1.1] as const
/** Bounds between the grades of ESS, as shares of 100 a chain. */
export const ESS_BOUNDS = [4, 1, 0.25, 0.1] as const

export function rhatGrade(rhat: number): Grade {
  if (Number.isNaN(rhat)) return -1
  return gradeOf(RHAT_BOUNDS.filter((bound) => rhat > bound).length)
}

/** @param target ESS to be reached: 100 a chain */
export function essGrade(ess: number, target: number): Grade {
  if (Number.isNaN(ess)) return -1
  return gradeOf(ESS_BOUNDS.filter((bound) => ess < bound * target).length)
}

const GRADES: readonly Grade[] = [0, 1, 2, 3, 4]

function gradeOf(bounds: number): Grade {
  return GRADES[bounds] ?? 4
}

/** Width of a cell at least: what is narrower is not seen. */
const LEAST = 3

export interface Cells {
  /** Cells of the strip. */
  readonly count: number
  /** Pixels of each. */
  readonly width: number
}

export function cellsOf(elements: number, width: number): Cells {
  const count = Math.max(1, Math.min(elements, Math.floor(width / LEAST)))
  return { count, width: width / count }
}

/** The element at a pixel: the worst of its cell. */
export function elementAt({ grades }: HeatStrip, x: number, width: number): number {
  const { count, width: cell } = cellsOf(grades.length, width)
  const at = Math.max(0, Math.min(count - 1, Math.floor(x / cell)))
  return worstIn(grades, at, count)
}

/** Elements of a cell, from the first to before the last. */
export function elementsOf(cell: number, cells: number, elements: number): readonly [first: number, stop: number] {
  return [Math.floor((cell * elements) / cells), Math.floor(((cell + 1) * elements) / cells)]
}

function worstIn(grades: Int8Array, cell: number, cells: number): number {
  const [first, stop] = elementsOf(cell, cells, grades.length)
  let worst = first
  for (let i = first + 1; i < stop; i++) if ((grades[i] as number) > (grades[worst] as number)) worst = i
  return worst
}

/** The strip, and below its cells a mark: a dot from the third grade on, a bar from the fourth. */
export function paintHeatStrip(painter: Painter, size: Size, strip: HeatStrip, theme: Theme): void {
  const { grades, chosen, cursor } = strip
  const cells = cellsOf(grades.length, size.width)
  const height = size.height - MARK
  for (let cell = 0; cell < cells.count; cell++) {
    const grade = grades[worstIn(grades, cell, cells.count)] as Grade
    const [left, right] = [cell * cells.width, (cell + 1) * cells.width]
    const gap = cells.width > 6 ? 1 : 0
    const fill = grade < 0 ? theme.shade : theme.heat[grade]
    painter.rect(left, 0, right - left - gap, height, { fill })
    mark(painter, grade, left, right - gap, size.height, theme)
  }
  if (chosen !== undefined) {
    const [from, to] = chosen.map((element) => (element / grades.length) * size.width) as [number, number]
    painter.rect(from, 0.5, Math.max(2, to - from), height - 1, { stroke: theme.accent, width: 2 })
  }
  if (cursor === undefined) return
  const cell = Math.min(cells.count - 1, Math.floor((cursor * cells.count) / grades.length))
  painter.rect(cell * cells.width, 0.5, Math.max(2, cells.width - 1), height - 1, { stroke: theme.ink, width: 2 })
}

/** Pixels below the cells for marks. */
const MARK = 5

function mark(painter: Painter, grade: Grade, left: number, right: number, bottom: number, { bad, warn }: Theme): void {
  if (grade >= 3) painter.rect(left, bottom - 3, Math.max(1.5, right - left), 3, { fill: bad })
  else if (grade === 2) painter.circle((left + right) / 2, bottom - 1.5, 1.5, { fill: warn })
}
