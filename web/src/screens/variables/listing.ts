/** Rows of the table of variables: scalars, vectors as groups, and columns that have no figures. */
import { FIGURE_COLUMNS, type FigureColumn } from '../../run/figures-page.ts'
import type { RunColumn, RunSchema } from '../../run/schema.ts'

export interface ListedColumn {
  readonly column: RunColumn
  /** Its first scalar among all. */
  readonly first: number
  /** True for a vector, whose elements are rows below its own. */
  readonly isGroup: boolean
}

/** A group's elements are shown at first where there are no more. */
const FEW = 20

/** Scalars of all columns of one group, in the order of their registration. */
export class Listing {
  readonly columns: readonly ListedColumn[]
  readonly count: number
  private readonly schema: RunSchema
  private readonly group: 'draws' | 'stats'
  private readonly known: (string | undefined)[]

  constructor(schema: RunSchema, group: 'draws' | 'stats') {
    this.schema = schema
    this.group = group
    let first = 0
    this.columns = schema.columns
      .filter((column) => column.group === group)
      .map((column) => {
        const listed = { column, first, isGroup: column.scalars > 1 }
        first += column.scalars
        return listed
      })
    this.count = first
    this.known = new Array<string | undefined>(first)
  }

  /** The column that has this scalar. */
  columnOf(scalar: number): ListedColumn {
    let [low, high] = [0, this.columns.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.columns[middle]?.first ?? 0) <= scalar) low = middle
      else high = middle - 1
    }
    const found = this.columns[low]
    if (found === undefined) throw new Error('the run has no columns')
    return found
  }

  scalar(at: number) {
    const { column, first } = this.columnOf(at)
    return this.schema.scalar(this.group, column.name, at - first)
  }

  label(at: number): string {
    const known = this.known[at] ?? this.scalar(at).label
    this.known[at] = known
    return known
  }

  /** The scalar of this label; undefined where there is none. */
  find(label: string): number | undefined {
    for (const { column, first } of this.columns) {
      if (column.scalars === 0 || !label.startsWith(column.name)) continue
      for (let at = first; at < first + column.scalars; at++) if (this.label(at) === label) return at
    }
    return undefined
  }
}

export interface RowsQuery {
  /** 1 for each scalar that is shown; all when absent. */
  readonly mask: Uint8Array | undefined
  /** Scalars in the order in which they are shown; by registration, with groups, when absent. */
  readonly order: Uint32Array | undefined
  /** Vectors that are opened, or closed where they would be open. */
  readonly toggled: ReadonlySet<string>
}

/** Rows of the table: a scalar's number, or −1 − c for the head of column c. */
export function rowsOf(listing: Listing, { mask, order, toggled }: RowsQuery): Int32Array {
  if (order !== undefined) return Int32Array.from(mask === undefined ? order : order.filter((at) => mask[at] === 1))
  return Int32Array.from(listing.columns.flatMap((listed, c) => rowsOfColumn(listed, -1 - c, mask, toggled)))
}

function rowsOfColumn(
  { column, first, isGroup }: ListedColumn,
  head: number,
  mask: Uint8Array | undefined,
  toggled: ReadonlySet<string>,
): number[] {
  if (column.scalars === 0) return mask === undefined ? [head] : []
  const shown = shownOf(first, column.scalars, mask)
  if (!isGroup || shown.length === 0) return shown
  return isOpen(column.name, shown.length, toggled) ? [head, ...shown] : [head]
}

export function isOpen(name: string, shown: number, toggled: ReadonlySet<string>): boolean {
  return shown <= FEW !== toggled.has(name)
}

export function shownOf(first: number, scalars: number, mask: Uint8Array | undefined): number[] {
  const shown: number[] = []
  for (let at = first; at < first + scalars; at++) if (mask === undefined || mask[at] === 1) shown.push(at)
  return shown
}

export type Coords = readonly (readonly [dim: string, labels: readonly string[]])[]

/** Scalars with labels of coordinates that are chosen; scalars without such a dimension are shown as well. */
export function maskOfCoords(listing: Listing, schema: RunSchema, coords: Coords): Uint8Array | undefined {
  if (coords.length === 0) return undefined
  const mask = new Uint8Array(listing.count).fill(1)
  for (const { column, first } of listing.columns) {
    const own = mask.subarray(first, first + column.scalars)
    for (const [dim, labels] of coords) {
      for (const [axis, name] of column.dims.entries()) {
        if (name === dim) leaveOut(own, column.shape ?? [], axis, placesOf(schema, dim, labels))
      }
    }
  }
  return mask
}

/** A test of places along a dimension: by label, or by number where there are no labels. */
function placesOf(schema: RunSchema, dim: string, labels: readonly string[]): (place: number) => boolean {
  const known = schema.coordinates.get(dim)
  const chosen = new Set(labels)
  return (place) => chosen.has(known?.[place] ?? String(place))
}

/** Takes elements away, in C order, whose place along an axis is not chosen. */
function leaveOut(
  mask: Uint8Array,
  shape: readonly number[],
  axis: number,
  isChosen: (place: number) => boolean,
): void {
  const length = shape[axis] ?? 1
  const chosen = Array.from({ length }, (_none, place) => isChosen(place))
  const stride = shape.slice(axis + 1).reduce((product, each) => product * each, 1)
  for (let element = 0; element < mask.length; element++) {
    if (!chosen[Math.floor(element / stride) % length]) mask[element] = 0
  }
}

export interface Sorting {
  readonly values: Float64Array
  /** Numbers of figures' reasons, 0 where there is a number. */
  readonly reasons: Uint8Array
  readonly direction: 'rising' | 'falling'
  /** The end at which NaN and infinite ones stand, as they are the worst. */
  readonly worst: 'least' | 'greatest'
}

/** Reasons that are worse than any number: `nan`, `infinite`. */
const WORST = 4

/** Scalars by a column of figures; what has none for another reason comes last. */
export function sortedBy({ values, reasons, direction, worst }: Sorting): Uint32Array {
  const sign = direction === 'rising' ? 1 : -1
  const place = (i: number) => {
    const reason = reasons[i] as number
    return reason === 0 ? 0 : reason < WORST ? 2 : worst === 'greatest' ? sign : -sign
  }
  return Uint32Array.from(values, (_value, i) => i).sort((a, b) => {
    const [left, right] = [place(a), place(b)]
    if (left !== right) return left - right
    return left === 0 ? sign * ((values[a] as number) - (values[b] as number)) || a - b : a - b
  })
}

export interface Sort {
  readonly figure: FigureColumn
  readonly direction: 'rising' | 'falling'
}

/** `-rhat` for the greatest first, as the API has it. */
export function sortOf(text: string | undefined): Sort | undefined {
  const name = text?.replace(/^-/, '')
  const figure = FIGURE_COLUMNS.find((each) => each === name)
  return figure === undefined ? undefined : { figure, direction: text?.startsWith('-') ? 'falling' : 'rising' }
}
