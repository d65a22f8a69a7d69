/** Replications of data as curves and statistics: computed from draws that are thinned evenly. */
import { meanOf } from '../../../../src/core/diagnostics/moments.ts'
import { turn } from '../../../../src/core/turn.ts'
import { densityOf, gridOf, middlesOf } from '../../draws/compute/kde.ts'
import type { Answer } from '../../draws/questions.ts'

export interface Curves {
  readonly x: Float64Array
  readonly data: Float64Array
  readonly replications: readonly Float64Array[]
  readonly isDiscrete: boolean
}

/** Curves of replications that are drawn. */
const SHOWN = 50
const POINTS = 160
/** Whole numbers that each have a share of their own. */
const MOST_SHARES = 60

/** Replications, each a list of values as long as the data, chain after chain. */
export function replicationsIn({ chains }: Answer<'values'>): readonly Float64Array[] {
  return chains.flatMap(({ at, values }) =>
    Array.from(at, (_each, draw) => Float64Array.from(values, (scalar) => scalar[draw] as number)),
  )
}

/** So many of a list, evenly. */
export function evenly<T>(list: readonly T[], most: number): readonly T[] {
  if (list.length <= most) return list
  return Array.from({ length: most }, (_each, i) => list[Math.floor((i * list.length) / most)] as T)
}

/** Curves of the data and of some replications, made in small pieces so that the page stays responsive. */
export async function curvesOf(data: Float64Array, replications: readonly Float64Array[]): Promise<Curves> {
  const shown = evenly(replications, SHOWN).map((values) => values.filter(Number.isFinite).sort())
  const observed = data.filter(Number.isFinite).sort()
  const all = [observed, ...shown].filter(({ length }) => length > 0)
  const least = Math.min(...all.map((values) => values[0] as number))
  const greatest = Math.max(...all.map((values) => values.at(-1) as number))
  const areWhole = all.every((values) => values.every(Number.isInteger))
  if (areWhole && greatest - least < MOST_SHARES) return sharesOf(observed, shown, least, greatest)
  const grid = gridOf(least, greatest, POINTS)
  const density = (values: Float64Array) => (values.length > 1 ? densityOf(values, grid) : new Float64Array(grid.bins))
  const curves: Float64Array[] = []
  for (const values of shown) {
    curves.push(density(values))
    await turn()
  }
  return { x: middlesOf(grid), data: density(observed), replications: curves, isDiscrete: false }
}

function sharesOf(data: Float64Array, replications: readonly Float64Array[], least: number, greatest: number): Curves {
  const x = Float64Array.from({ length: greatest - least + 1 }, (_each, i) => least + i)
  const shares = (values: Float64Array) => {
    const found = new Float64Array(x.length)
    for (const value of values) found[value - least] = (found[value - least] as number) + 1 / values.length
    return found
  }
  return { x, data: shares(data), replications: replications.map(shares), isDiscrete: true }
}

/** Test statistics by name. */
export const STATISTICS = {
  mean: (values: Float64Array) => meanOf(values),
  sd: (values: Float64Array) => {
    const mean = meanOf(values)
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1))
  },
} as const
