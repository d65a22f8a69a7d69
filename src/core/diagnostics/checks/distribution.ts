/** The distribution of a figure over all scalars: the worst of them, and how many are beyond a threshold. */
import type { Reason } from '../convention.ts'
import type { FigureOfRows } from './evidence.ts'
import { type Ranked, rank } from './ranked.ts'

export interface Distribution {
  /** The worst scalars, each with the worst of its figures; infinity is the largest of all. */
  readonly ranked: readonly Ranked[]
  /** Scalars with a number, and those with one beyond the threshold. */
  readonly known: number
  readonly beyond: number
  readonly pending: number
  /** Reasons for none, and how often: `3 constant`. */
  readonly without: string
}

/** @param figures all that a scalar has, the worst of which counts */
export function distribution(
  scalars: number,
  figures: readonly FigureOfRows[],
  worst: 'largest' | 'least',
  isBeyond: (value: number) => boolean,
): Distribution {
  const sign = worst === 'largest' ? 1 : -1
  const ranked: Ranked[] = []
  const reasons = new Map<Reason, number>()
  let [known, beyond, pending] = [0, 0, 0]
  for (let row = 0; row < scalars; row++) {
    const value = worstAt(figures, row, sign)
    if (value === 'pending') pending++
    else if (typeof value === 'string') reasons.set(value, (reasons.get(value) ?? 0) + 1)
    else {
      known++
      if (isBeyond(value)) beyond++
      rank(ranked, { row, value }, (each) => sign * each)
    }
  }
  const without = [...reasons].map(([reason, count]) => `${count} ${WORDS[reason]}`).join(', ')
  return { ranked, known, beyond, pending, without }
}

const WORDS: Readonly<Record<Reason, string>> = {
  constant: 'constant',
  too_few: 'with too few draws',
  nan: 'with NaN',
  infinite: 'infinite',
}

/** The worst number of a scalar, or the reason why it has none; R-hat of chains that are each constant is infinite. */
function worstAt(figures: readonly FigureOfRows[], row: number, sign: 1 | -1): number | Reason | 'pending' {
  let worst: number | Reason | 'pending' = 'constant'
  for (const figure of figures) {
    const given = figure.at(row)
    if (given === 'pending') return given
    const value = given === 'infinite' && sign === 1 ? Number.POSITIVE_INFINITY : given
    if (typeof worst === 'string' || (typeof value === 'number' && sign * value > sign * worst)) worst = value
  }
  return worst
}
