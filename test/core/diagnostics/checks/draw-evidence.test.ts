/** Evidence of draws: values that are not finite, repeats, chains that stand still, and the same in parts. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Divergent } from '../../../../src/core/diagnostics/checks/auc.ts'
import {
  addScalar,
  type DrawEvidence,
  mergeEvidence,
  noEvidence,
} from '../../../../src/core/diagnostics/checks/draw-evidence.ts'
import { Scalar, Workspace } from '../../../../src/core/diagnostics/scalar.ts'
import { chainsOf } from '../../../support/draws-of-chains.ts'

const CHAINS = 4
const DRAWS = 100

function evidenceOf(scalars: readonly Float64Array[], draws = DRAWS, mask?: Uint8Array): DrawEvidence {
  const workspace = new Workspace(CHAINS, draws)
  const evidence = noEvidence(CHAINS)
  const divergent = mask && new Divergent(mask)
  for (const [row, values] of scalars.entries()) {
    addScalar(evidence, row, new Scalar(workspace, values, 'posterior'), divergent)
  }
  return evidence
}

describe('values that are not finite', () => {
  it('are counted by chain, and the scalars with most are named', () => {
    const one = chainsOf(CHAINS, DRAWS, (x, chain, draw) => (chain === 2 && draw < 3 ? Number.NaN : x))
    const two = chainsOf(CHAINS, DRAWS, (x, chain, draw) => (chain === 0 && draw === 99 ? Number.NEGATIVE_INFINITY : x))
    const { nonFinite, mostNonFinite, blemished, scalars } = evidenceOf([chainsOf(CHAINS, DRAWS), two, one])
    expect([...nonFinite]).toEqual([1, 0, 3, 0])
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
    expect([...evidenceOf([repeating((draw) => draw % 2 === 0)]).repeats]).toEqual([0, 0.5, 0, 0])
    expect([...evidenceOf([repeating((draw) => draw % 4 === 0)]).repeats]).toEqual([0, 0.75, 0, 0])
    expect([...evidenceOf([repeating((draw) => draw % 4 === 0)]).repeating]).toEqual([-1, 0, -1, -1])
  })

  it('of integers are those beyond chance', () => {
    const rare = chainsOf(CHAINS, DRAWS, (x) => (x > 1.2 ? 1 : 0))
    for (const share of evidenceOf([rare]).repeats) expect(share).toBeLessThan(0.5)
    const kept = repeating((draw) => draw % 10 === 0).map((x) => Math.round(2 * x))
    const { repeats } = evidenceOf([kept])
    expect(repeats[1]).toBeGreaterThan(0.8)
    expect(repeats[0]).toBeLessThan(0.5)
  })

  it('of constants are none', () => {
    const { repeats, varying, still } = evidenceOf([new Float64Array(CHAINS * DRAWS).fill(0.5)])
    expect([...repeats, ...still, varying]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0])
  })
})

describe('a chain that stands still', () => {
  const standing = (from: number, draws = DRAWS) =>
    chainsOf(CHAINS, draws, (x, chain, draw) => (chain === 3 && draw >= from ? 7.25 : x))

  it('has one value in its last half, and no draw less', () => {
    expect([...evidenceOf([standing(50)]).still]).toEqual([0, 0, 0, 1])
    expect([...evidenceOf([standing(51)]).still]).toEqual([0, 0, 0, 0])
    expect([...evidenceOf([standing(51, 101)], 101).still]).toEqual([0, 0, 0, 1])
    expect([...evidenceOf([standing(52, 101)], 101).still]).toEqual([0, 0, 0, 0])
  })

  it('is told with its first scalar', () => {
    const { still, standing: rows } = evidenceOf([chainsOf(CHAINS, DRAWS), standing(0), standing(20)])
    expect([...still]).toEqual([0, 0, 0, 2])
    expect([...rows]).toEqual([-1, -1, -1, 1])
  })

  it('is none where a rare event is absent by chance', () => {
    const rare = chainsOf(CHAINS, DRAWS, (_, chain, draw) => (chain === 0 && draw === 3 ? 1 : 0))
    expect([...evidenceOf([rare]).still]).toEqual([0, 0, 0, 0])
  })

  it('is one of NaN for another check', () => {
    const values = chainsOf(CHAINS, DRAWS, (x, chain) => (chain === 3 ? Number.NaN : x))
    expect([...evidenceOf([values]).still]).toEqual([0, 0, 0, 0])
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

it('the evidence of parts is that of the whole', () => {
  const value = fc.constantFrom(0, 1, 2.5, -3.5, Number.NaN, Number.POSITIVE_INFINITY)
  const scalar = fc.array(value, { minLength: 40, maxLength: 40 }).map((list) => Float64Array.from(list))
  const scalars = fc.array(scalar, { minLength: 1, maxLength: 14 })
  fc.assert(
    fc.property(scalars, fc.nat(14), fc.uint8Array({ minLength: 40, maxLength: 40, max: 1 }), (all, cut, mask) => {
      const first = Math.min(cut, all.length)
      const merged = noEvidence(CHAINS)
      mergeEvidence(merged, structuredClone(evidenceOf(all.slice(0, first), 10, mask)))
      mergeEvidence(merged, structuredClone(evidenceOf(all.slice(first), 10, mask)), first)
      expect(merged).toEqual(evidenceOf(all, 10, mask))
    }),
  )
})
