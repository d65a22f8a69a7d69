/** The distribution of a figure over all scalars: the worst of them, and how many are beyond a threshold. */
import type { Reason } from '../convention.ts'
import { type Ranked, rank } from './ranked.ts'

/** A figure of a scalar, as far as it is known. */
export type FigureValue = number | Reason | 'pending'

export class Distribution {
  /** The worst scalars, the worst first; infinity is the largest of all. */
  readonly ranked: Ranked[] = []
  /** Scalars with a number, and those with one beyond the threshold. */
  known = 0
  beyond = 0
  pending = 0
  private readonly sign: 1 | -1
  private readonly threshold: number
  private readonly reasons = new Map<Reason, number>()

  constructor(worst: 'largest' | 'least', threshold: number) {
    this.sign = worst === 'largest' ? 1 : -1
    this.threshold = threshold
  }

  add(row: number, figure: FigureValue): void {
    // R-hat of chains that are each constant is infinite.
    const value = figure === 'infinite' && this.sign === 1 ? Number.POSITIVE_INFINITY : figure
    if (value === 'pending') this.pending++
    else if (typeof value === 'string') this.reasons.set(value, (this.reasons.get(value) ?? 0) + 1)
    else {
      this.known++
      if (this.sign * value > this.sign * this.threshold) this.beyond++
      rank(this.ranked, { row, value }, (each) => this.sign * each)
    }
  }

  /** The reasons why scalars have no number, and how often: `3 constant`. */
  get without(): string {
    return [...this.reasons].map(([reason, count]) => `${count} ${WORDS[reason]}`).join(', ')
  }
}

const WORDS: Readonly<Record<Reason, string>> = {
  constant: 'constant',
  too_few: 'with too few draws',
  nan: 'with NaN',
  infinite: 'infinite',
}

/** The smaller of two figures of a scalar; one alone where the other is no number. */
export function smaller(a: FigureValue, b: FigureValue): FigureValue {
  if (a === 'pending' || b === 'pending') return 'pending'
  if (typeof a !== 'number') return typeof b === 'number' ? b : a
  return typeof b === 'number' ? Math.min(a, b) : a
}
