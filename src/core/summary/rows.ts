/** Rows of a summary: scalars in the order of registration or of one of their figures. */

import { type Figure, FigureColumn, figureOf } from '../diagnostics/figures.ts'
import { Sorter } from '../diagnostics/sort.ts'
import type { CredibleInterval } from '../diagnostics/summary-columns.ts'
import type { RigidNumbers } from '../draws/columns.ts'
import type { ElementNames } from '../draws/labels.ts'
import type { Sort } from './question.ts'
import type { Stock, Stretch } from './stock.ts'
import type { SummaryRow } from './summary.ts'

/** Scalars of columns, or of some elements of one. */
export class Scalars {
  readonly specs: readonly RigidNumbers[]
  readonly total: number
  private readonly elements: readonly number[] | undefined
  /** Scalars of the columns before each. */
  private readonly begins: readonly number[]

  constructor(specs: readonly RigidNumbers[], elements?: readonly number[]) {
    this.specs = specs
    this.elements = elements
    let total = 0
    this.begins = specs.map((spec) => {
      const begin = total
      total += elements?.length ?? spec.elements
      return begin
    })
    this.total = total
  }

  at(scalar: number): { readonly spec: RigidNumbers; readonly element: number } {
    let [low, high] = [0, this.specs.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((this.begins[middle] ?? 0) <= scalar) low = middle
      else high = middle - 1
    }
    const spec = this.specs[low]
    if (spec === undefined) throw new RangeError(`there is no scalar ${scalar}`)
    const offset = scalar - (this.begins[low] ?? 0)
    return { spec, element: this.elements?.[offset] ?? offset }
  }

  /** Stretches that hold all scalars, each once. */
  allStretches(): Stretch[] {
    if (this.elements === undefined) return this.specs.map((spec) => ({ spec, from: 0, to: spec.elements }))
    return this.stretches(Array.from({ length: this.total }, (_, scalar) => scalar))
  }

  /** One figure of all scalars, in their order. */
  figure(stock: Stock, figure: Figure): FigureColumn {
    if (this.elements === undefined) return stock.column(this.allStretches(), figure)
    const column = FigureColumn.pending(this.total)
    for (let scalar = 0; scalar < this.total; scalar++) {
      const { spec, element } = this.at(scalar)
      const value = stock.at(spec, element, figure)
      if (value !== 'pending') column.put(scalar, value)
    }
    return column
  }

  /** Stretches that hold some of the scalars, each once. */
  stretches(scalars: Iterable<number>): Stretch[] {
    const found = [...new Set(scalars)].map((scalar) => this.at(scalar))
    found.sort((a, b) => a.spec.index - b.spec.index || a.element - b.element)
    const stretches: { spec: RigidNumbers; from: number; to: number }[] = []
    for (const { spec, element } of found) {
      const last = stretches.at(-1)
      if (last?.spec === spec && last.to >= element) last.to = Math.max(last.to, element + 1)
      else stretches.push({ spec, from: element, to: element + 1 })
    }
    return stretches
  }
}

/** Scalars by rising numbers of the order: those without a figure that says anything come last. */
export function sorted(scalars: Scalars, stock: Stock, sort: Sort, ci: CredibleInterval): Uint32Array {
  const column = scalars.figure(stock, figureOf(sort.column, ci))
  const worst = sort.column.startsWith('ess') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  const sign = sort.order === 'falling' ? -1 : 1
  const keys = new Float64Array(scalars.total)
  const found = new Uint32Array(scalars.total)
  const silent: number[] = []
  let count = 0
  for (let scalar = 0; scalar < scalars.total; scalar++) {
    const value = column.at(scalar)
    if (value === 'constant' || value === 'too_few' || value === 'pending') {
      silent.push(scalar)
      continue
    }
    keys[count] = sign * (typeof value === 'number' ? value : worst)
    found[count++] = scalar
  }
  const order = new Sorter(count).order(keys.subarray(0, count))
  const rows = new Uint32Array(scalars.total)
  for (let i = 0; i < count; i++) rows[i] = found[order[i] as number] as number
  rows.set(silent, count)
  return rows
}

export function rowOf(
  { spec, element }: { readonly spec: RigidNumbers; readonly element: number },
  stock: Stock,
  figures: readonly Figure[],
  names: ElementNames,
): SummaryRow {
  return { ...names.of(spec, element), figures: figures.map((figure) => stock.at(spec, element, figure)) }
}
