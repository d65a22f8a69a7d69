/** Evidence of draws: values that are not finite, repeats, chains that stand still. */
import { describe, expect, it } from 'vitest'
import { Divergent } from '../../../../src/core/diagnostics/checks/auc.ts'
import { addLook, type DrawEvidence, noEvidence } from '../../../../src/core/diagnostics/checks/draw-evidence.ts'
import { chainsIn, lookAt } from '../../../../src/core/diagnostics/checks/look.ts'
import { Scalar, Workspace } from '../../../../src/core/diagnostics/scalar.ts'
import { chainsOf } from '../../../support/draws-of-chains.ts'

const CHAINS = 4
const DRAWS = 100

function evidenceOf(scalars: readonly Float64Array[], draws = DRAWS, mask?: Uint8Array): DrawEvidence {
  const workspace = new Workspace(CHAINS, draws)
  const evidence = noEvidence(CHAINS)
  const divergent = mask && new Divergent(mask)
  for (const [row, values] of scalars.entries()) {
    addLook(evidence, row, lookAt(new Scalar(workspace, values, 'posterior'), divergent))
  }
  return evidence
}

describe('values that are not finite', () => {
  it('are counted by chain, and the scalars with most are named', () => {
    const one = chainsOf(CHAINS, DRAWS, (x, chain, draw) => (chain === 2 && draw < 3 ? Number.NaN : x))
    const two = chainsOf(CHAINS, DRAWS, (x, chain, draw) => (chain === 0 && draw === 99 ? Number.NEGATIVE_INFINITY : x))
    const { nonFinite, nonFiniteIn, mostNonFinite, blemished, scalars } = evidenceOf([
      chainsOf(CHAINS, DRAWS),
      two,
      one,
    ])
    expect(nonFinite).toBe(4)
    expect([...nonFiniteIn]).toEqual([1, 0, 1, 0])
    expect(mostNonFinite).toEqual([
      { row: 2, value: 3 },
      { row: 1, value: 1 },
    ])
    expect([scalars, blemished]).toEqual([3, 2])
  })
})

describe('repeats', () => {
  /** Chain 1 keeps each value for as long as `isNew` says. */
  const repeating = (isNew: (draw: number) => boolean) => {
    let kept = 0
    return chainsOf(CHAINS, DRAWS, (x, chain, draw) => {
      if (chain !== 1) return x
      if (draw === 0 || isNew(draw)) kept = x
      return kept
    })
  }

  it('are the share of draws that equal the one before', () => {
    const half = evidenceOf([repeating((draw) => draw % 2 === 0)])
    expect([half.repeats, half.repeating, ...half.repeatsIn]).toEqual([0.5, [], 0, 0, 0, 0])
    const more = evidenceOf([chainsOf(CHAINS, DRAWS), repeating((draw) => draw % 4 === 0)])
    expect([more.repeats, more.repeating, ...more.repeatsIn]).toEqual([0.75, [{ row: 1, value: 0.75 }], 0, 1, 0, 0])
  })

  it('of integers are those beyond chance', () => {
    const rare = chainsOf(CHAINS, DRAWS, (x) => (x > 1.2 ? 1 : 0))
    expect(evidenceOf([rare]).repeats).toBeLessThan(0.5)
    const kept = repeating((draw) => draw % 10 === 0).map((x) => Math.round(2 * x))
    const { repeats, repeatsIn } = evidenceOf([kept])
    expect(repeats).toBeGreaterThan(0.8)
    expect([...repeatsIn]).toEqual([0, 1, 0, 0])
  })

  it('of constants are none', () => {
    const { repeats, varying, stillIn } = evidenceOf([new Float64Array(CHAINS * DRAWS).fill(0.5)])
    expect([repeats, varying, ...stillIn]).toEqual([0, 0, 0, 0, 0, 0])
  })
})

describe('a chain that stands still', () => {
  const standing = (from: number, draws = DRAWS) =>
    chainsOf(CHAINS, draws, (x, chain, draw) => (chain === 3 && draw >= from ? 7.25 : x))

  it('has one value in its last half, and no draw less', () => {
    expect([...evidenceOf([standing(50)]).stillIn]).toEqual([0, 0, 0, 1])
    expect([...evidenceOf([standing(51)]).stillIn]).toEqual([0, 0, 0, 0])
    expect([...evidenceOf([standing(51, 101)], 101).stillIn]).toEqual([0, 0, 0, 1])
    expect([...evidenceOf([standing(52, 101)], 101).stillIn]).toEqual([0, 0, 0, 0])
  })

  it('is told with its scalars', () => {
    const { stillIn, standing: scalars } = evidenceOf([chainsOf(CHAINS, DRAWS), standing(0), standing(20)])
    expect([...stillIn]).toEqual([0, 0, 0, 2])
    expect(scalars).toEqual([
      { row: 1, value: 1 },
      { row: 2, value: 1 },
    ])
  })

  it('is none where a rare event is absent by chance', () => {
    const rare = chainsOf(CHAINS, DRAWS, (_, chain, draw) => (chain === 0 && draw === 3 ? 1 : 0))
    expect([...evidenceOf([rare]).stillIn]).toEqual([0, 0, 0, 0])
  })

  it('is one of NaN for another check', () => {
    const values = chainsOf(CHAINS, DRAWS, (x, chain) => (chain === 3 ? Number.NaN : x))
    expect([...evidenceOf([values]).stillIn]).toEqual([0, 0, 0, 0])
  })
})

describe('divergent draws', () => {
  it('name the scalars that set them apart, the clearest first', () => {
    const tau = chainsOf(CHAINS, DRAWS, Math.exp, 2)
    const edge = tau.toSorted()[8] as number
    const mask = Uint8Array.from(tau, (value) => (value < edge ? 1 : 0))
    const { gathering } = evidenceOf([chainsOf(CHAINS, DRAWS), tau, tau.map((x) => -x)], DRAWS, mask)
    expect(gathering.map(({ row }) => row)).toEqual([1, 2, 0])
    expect(gathering.map(({ value }) => value).slice(0, 2)).toEqual([0, 1])
  })
})

describe('sets of chains', () => {
  const shifted = (chains: number, bad: readonly number[]) => {
    const values = chainsOf(chains, 20, (x, chain) => (bad.includes(chain) ? Number.NaN : x))
    return chainsIn(lookAt(new Scalar(new Workspace(chains, 20), values, 'posterior')).nonFiniteIn, chains)
  }

  it('tell up to 53 chains apart', () => {
    expect(shifted(53, [0, 17, 31, 32, 52])).toEqual([0, 17, 31, 32, 52])
    expect(shifted(2, [])).toEqual([])
  })

  it('have the first of more', () => {
    expect(shifted(54, [53])).toEqual([53])
    expect(shifted(200, [0, 137])).toEqual([0])
    expect(shifted(200, [])).toEqual([])
  })
})
