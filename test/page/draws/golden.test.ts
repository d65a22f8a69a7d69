/** Numbers of plots against those of arviz-stats and SciPy, which test/page/golden/make.py has written down. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { atOnce } from '../../../src/core/turn.ts'
import { type Bounds, pointwiseBounds, type Ranked, tailOf } from '../../../web/src/draws/compute/bands.ts'
import { distributionsOf } from '../../../web/src/draws/compute/density.ts'
import { ranksUpTo } from '../../../web/src/draws/compute/ranks.ts'
import { sortedOf } from '../../../web/src/draws/compute/sorted.ts'
import { chance, scalar, World } from './world.ts'

interface Golden {
  readonly densities: readonly {
    readonly name: string
    readonly points: number
    readonly chains: readonly (readonly number[])[]
    readonly x: readonly number[]
    readonly all: readonly number[] | null
    readonly each: readonly (readonly number[] | null)[]
  }[]
  readonly figures: readonly {
    readonly name: string
    readonly points: number
    readonly chains: readonly (readonly number[])[]
    readonly local: readonly number[]
    readonly quantile: readonly number[]
    readonly mcse: readonly number[]
    readonly mcse_mean: number
    readonly mcse_sd: number
    readonly autocorrelation: readonly (readonly number[])[]
  }[]
  readonly bounds: readonly (Ranked & { tail: number; lower: readonly number[]; upper: readonly number[] })[]
  readonly tails: readonly (Ranked & { tail: number })[]
}

const PATH = new URL('../golden/draws.json.gz', import.meta.url)
const golden: Golden = JSON.parse(gunzipSync(readFileSync(PATH)).toString('utf8'))

/** Numbers that are equal to a share of the greatest of them. */
function expectClose(got: ArrayLike<number>, expected: readonly number[], share: number): void {
  expect(got).toHaveLength(expected.length)
  const most = Math.max(...expected.map(Math.abs))
  const worst = Math.max(...expected.map((value, i) => Math.abs((got[i] ?? Number.NaN) - value)))
  expect(worst).toBeLessThanOrEqual(share * most)
}

describe('densities are those of arviz-stats', () => {
  for (const { name, points, chains, x, all, each } of golden.densities) {
    it(name, () => {
      const draws = chains.map((chain) => Float64Array.from(chain))
      const got = atOnce(distributionsOf({ sorted: atOnce(sortedOf(draws)), points, isWhole: false }))
      expect(got.isDiscrete).toBe(false)
      expectClose(got.x, x, 1e-12)
      if (all !== null) expectClose(got.all, all, 1e-6)
      for (const [i, y] of each.entries()) if (y !== null) expectClose(got.chains[i] ?? [], y, 1e-6)
    })
  }
})

async function worldOf(chains: readonly (readonly number[])[]): Promise<World> {
  const world = new World([{ name: 'x', values: (chain, draw) => chains[chain]?.[draw] ?? Number.NaN }])
  await world.register()
  for (const [chain, { length }] of chains.entries()) await world.sample(chain, length)
  return world
}

describe('figures of plots are those of arviz-stats', () => {
  for (const each of golden.figures) {
    it(each.name, async () => {
      const link = (await worldOf(each.chains)).open()
      const { points } = each
      const ask = { scalar: scalar('x'), choice: { warmup: 'exclude' }, convention: 'arviz' } as const
      const local = await link.ask('essLocal', { ...ask, intervals: points })
      expectClose(
        local.x,
        Array.from({ length: points }, (_, i) => (i + 0.5) / points),
        1e-12,
      )
      expectClose(local.y, each.local, 1e-9)
      expectClose((await link.ask('essQuantile', { ...ask, points })).y, each.quantile, 1e-9)
      const mcse = await link.ask('mcseQuantile', { ...ask, points })
      expectClose(mcse.y, each.mcse, 1e-9)
      expectClose([mcse.mean, mcse.sd], [each.mcse_mean, each.mcse_sd], 1e-9)
      const rho = await link.ask('autocorrelation', { ...ask, lags: 20 })
      for (const [i, expected] of each.autocorrelation.entries()) expectClose(rho[i]?.rho ?? [], expected, 1e-9)
    })
  }
})

describe('bands of ranks', () => {
  for (const { tail, lower, upper, ...ranked } of golden.bounds) {
    it(`of ${ranked.chains} chains of ${ranked.draws} draws have SciPy's quantiles`, () => {
      const bounds = pointwiseBounds(ranked, tail)
      expect([...bounds.lower]).toEqual(lower)
      expect([...bounds.upper]).toEqual(upper)
    })
  }

  for (const { tail, ...ranked } of golden.tails) {
    it(`of ${ranked.chains} chains of ${ranked.draws} draws at ${ranked.points} points have the coverage of a simulation`, () => {
      // A thousand of 20,000 simulations lie outside: the tail is known to three percent, or to the next of a discrete probability.
      expect(Math.abs(Math.log(atOnce(tailOf(ranked)) / tail))).toBeLessThan(0.15)
    })
  }
})

describe('the band of ranks', () => {
  for (const ranked of [
    { chains: 2, draws: 60, points: 30 },
    { chains: 4, draws: 100, points: 50 },
  ]) {
    it(`holds all ECDFs of ${ranked.chains} chains in 95 of 100 cases`, () => {
      const bounds = pointwiseBounds(ranked, atOnce(tailOf(ranked)))
      const cases = 4000
      let inside = 0
      for (let i = 0; i < cases; i++) if (isWithin(ranked, shuffledOwners(ranked, i), bounds)) inside++
      // Three and a half standard errors of so many cases.
      expect(Math.abs(inside / cases - 0.95)).toBeLessThan(0.012)
    })
  }
})

/** The chain of each rank, all orders of them with the same probability. */
function shuffledOwners({ chains, draws }: Ranked, seed: number): Uint8Array {
  const owners = Uint8Array.from({ length: chains * draws }, (_, i) => i % chains)
  for (let i = owners.length - 1; i > 0; i--) {
    const j = Math.floor((i + 1) * chance(seed, i))
    const owner = owners[i] ?? 0
    owners[i] = owners[j] ?? 0
    owners[j] = owner
  }
  return owners
}

function isWithin({ chains, points }: Ranked, owners: Uint8Array, { lower, upper }: Bounds): boolean {
  const counts = new Float64Array(chains)
  let rank = 0
  for (let i = 1; i < points; i++) {
    for (; rank < Math.floor((i * owners.length) / points); rank++) {
      const owner = owners[rank] ?? 0
      counts[owner] = (counts[owner] ?? 0) + 1
    }
    if (counts.some((count) => count < (lower[i - 1] ?? 0) || count > (upper[i - 1] ?? 0))) return false
  }
  return true
}

describe('ranks of draws, some of which are equal', () => {
  it('are those of all orders of equal draws on average', () => {
    const chains = [Float64Array.of(1, 2, 2, 5), Float64Array.of(2, 3, 3, -0), Float64Array.of(0, 2, 9, 3)]
    const sorted = atOnce(sortedOf(chains))
    expect([...sorted.all]).toEqual([-0, 0, 1, 2, 2, 2, 2, 3, 3, 3, 5, 9])
    // Up to the ranks 2, 4, … 12, of which 4 to 7 are shared by four draws of value 2, and 8 to 10 by three of value 3.
    const expected = [
      [0, 1.5, 2.5, 3, 3, 4],
      [1, 1.25, 1.75, 2 + 2 / 3, 4, 4],
      [1, 1.25, 1.75, 2 + 1 / 3, 3, 4],
    ]
    for (const [i, counts] of ranksUpTo(sorted, 6).entries()) expectClose(counts, expected[i] ?? [], 1e-12)
  })
})
