/** Figures that are known: of a run at one moment, under one convention. */

import type { Convention, Reason } from '../diagnostics/convention.ts'
import { type Figure, FigureColumn, type FigureTable } from '../diagnostics/figures.ts'
import type { RigidNumbers } from '../draws/columns.ts'
import type { Moment } from './moment.ts'

/** Elements of one column, from `from` up to `to`. */
export interface Stretch {
  readonly spec: RigidNumbers
  readonly from: number
  readonly to: number
}

/** Elements of one part of a column: a value may have very many, of which a few are asked for. */
const PART = 4096

/** Bytes that a moment takes for a chain, about. */
const CHAIN_BYTES = 100

export class Stock {
  /** Name among all stocks. */
  readonly key: string
  readonly moment: Moment
  readonly convention: Convention
  /** Bytes of the moment and of all figures. */
  weight: number
  /** R-hat as it was at an earlier moment: the worst is computed first. */
  readonly hints: Stock | undefined
  private readonly parts = new Map<string, FigureColumn>()

  constructor(key: string, moment: Moment, convention: Convention, hints?: Stock) {
    this.key = key
    this.moment = moment
    this.convention = convention
    this.hints = hints
    this.weight = CHAIN_BYTES * (moment.chains.length + moment.leftOut.length)
  }

  at(spec: RigidNumbers, element: number, figure: Figure): number | Reason | 'pending' {
    return this.parts.get(keyOf(spec, element, figure))?.at(element % PART) ?? 'pending'
  }

  place({ spec, from, to }: Stretch, table: FigureTable): void {
    for (const [figure, found] of table) {
      for (let begin = from; begin < to; begin = partEnd(begin)) {
        const end = Math.min(to, partEnd(begin))
        this.part(spec, begin, figure).place(begin % PART, found.slice(begin - from, end - from))
      }
    }
  }

  /** One figure of all elements of some stretches, one after the other. */
  column(stretches: readonly Stretch[], figure: Figure): FigureColumn {
    const total = stretches.reduce((n, { from, to }) => n + to - from, 0)
    const column = FigureColumn.pending(total)
    let row = 0
    for (const { spec, from, to } of stretches) {
      for (let begin = from; begin < to; begin = partEnd(begin)) {
        const count = Math.min(to, partEnd(begin)) - begin
        const part = this.parts.get(keyOf(spec, begin, figure))
        if (part !== undefined) column.place(row, part.slice(begin % PART, (begin % PART) + count))
        row += count
      }
    }
    return column
  }

  /** Those of some figures that an element of the stretch lacks. */
  missing({ spec, from, to }: Stretch, figures: readonly Figure[]): Figure[] {
    return figures.filter((figure) => {
      for (let begin = from; begin < to; begin = partEnd(begin)) {
        const part = this.parts.get(keyOf(spec, begin, figure))
        if (part === undefined || part.hasPending(begin % PART, Math.min(to, partEnd(begin)) - begin)) return true
      }
      return false
    })
  }

  /** R-hat alone, as hints for a later moment. */
  get rhats(): Stock {
    const rhats = new Stock(this.key, this.moment, this.convention)
    for (const [key, part] of this.parts) if (key.endsWith('/rhat')) rhats.parts.set(key, part)
    return rhats
  }

  private part(spec: RigidNumbers, element: number, figure: Figure): FigureColumn {
    const key = keyOf(spec, element, figure)
    let part = this.parts.get(key)
    if (part === undefined) {
      const size = Math.min(PART, spec.elements - (element - (element % PART)))
      part = FigureColumn.pending(size)
      this.parts.set(key, part)
      this.weight += 9 * size
    }
    return part
  }
}

function keyOf(spec: RigidNumbers, element: number, figure: Figure): string {
  return `${spec.index}/${Math.floor(element / PART)}/${figure}`
}

function partEnd(element: number): number {
  return element - (element % PART) + PART
}
