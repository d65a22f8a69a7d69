/** Words of a run's screen: progress, state, chains that count, the time until an ESS is reached. */
import { describe, expect, test } from 'vitest'
import { alone, toggled } from '../../web/src/run/chosen-chains.ts'
import { outlookOf, targetOf } from '../../web/src/run/outlook.ts'
import { expectedOf, progressOf, stateOf } from '../../web/src/run/progress.ts'

describe('progress', () => {
  test('is told where the facts tell how many draws are expected', () => {
    expect(expectedOf({ expected: { draws: 1000, warmup: 500 } })).toEqual({ draws: 1000, warmup: 500 })
    expect(expectedOf({ expected: { draws: 1000 } })).toEqual({ draws: 1000, warmup: 0 })
    for (const expected of [undefined, null, 'many', { draws: -1 }, { draws: '7' }, { draws: 0 }]) {
      expect(expectedOf({ expected })).toBeUndefined()
    }
  })

  const chains = [
    { chain: 0, length: 900 },
    { chain: 1, length: 300 },
  ]

  test('ends with the slowest chain', () => {
    const { share, seconds } = progressOf(chains, { draws: 1000, warmup: 0 }, (chain) => (chain === 0 ? 1 : 35))
    expect(share).toBe(0.6)
    expect(seconds).toBe(100)
  })

  test('has no end where a chain stands still, and is all when it has all', () => {
    expect(progressOf(chains, { draws: 1000, warmup: 0 }, () => 0).seconds).toBeUndefined()
    expect(progressOf(chains, { draws: 1000, warmup: 0 }, () => undefined).seconds).toBeUndefined()
    expect(progressOf(chains, { draws: 300, warmup: 0 }, () => 0)).toEqual({ share: 1, seconds: 0 })
    expect(progressOf([], { draws: 300, warmup: 0 }, () => 0).share).toBe(0)
  })

  test('the state is that of now: live for a minute after the last draw, done with the last expected one', () => {
    const about = { state: 'live', facts: {}, updatedAt: '2026-01-01T00:00:00Z' } as const
    const begun = Date.parse(about.updatedAt)
    expect(stateOf(about, chains, () => undefined, begun + 60_000)).toBe('live')
    expect(stateOf(about, chains, () => undefined, begun + 60_001)).toBe('silent')
    expect(stateOf(about, chains, () => begun + 5000, begun + 65_000)).toBe('live')
    const facts = { expected: { draws: 300 } }
    expect(stateOf({ ...about, facts }, chains, () => undefined, begun)).toBe('done')
    expect(stateOf({ ...about, state: 'done' }, chains, () => begun, begun)).toBe('done')
  })
})

test('chains are switched off and on, and all is no choice', () => {
  const all = [0, 1, 4]
  expect(toggled([], all, 1)).toEqual([0, 4])
  expect(toggled([0, 4], all, 1)).toEqual([])
  expect(toggled([0], all, 4)).toEqual([0, 4])
  expect(toggled([4], all, 4)).toEqual([])
  expect(alone([], 1)).toEqual([1])
  expect(alone([1], 1)).toEqual([])
})

describe('the time until an ESS is reached', () => {
  const growing = (ess: number, draws = 1000) => [
    { draws: draws / 2, ess: ess / 2 },
    { draws, ess },
  ]
  const going = { target: 400, rhat: 1.01, rate: 100, isDone: false }

  test('follows from the growth of ESS and the rate', () => {
    expect(outlookOf({ ...going, points: growing(100) })).toEqual({
      state: 'coming',
      text: 'ESS 400 in about 30 s',
    })
    expect(outlookOf({ ...going, points: growing(100), rate: 1 }).text).toBe('ESS 400 in about 50 min')
  })

  test('is not told while R-hat is large, or ESS does not grow', () => {
    expect(outlookOf({ ...going, points: growing(100), rhat: 1.08 }).text).toBe('ESS 400: not yet, R-hat is 1.080')
    const still = [
      { draws: 500, ess: 100 },
      { draws: 1000, ess: 101 },
    ]
    expect(outlookOf({ ...going, points: still }).text).toBe('ESS 400: not yet, ESS does not grow with the draws')
  })

  test('is draws where the run stands still', () => {
    expect(outlookOf({ ...going, points: growing(100), isDone: true }).text).toBe(
      'ESS 400 would take about 3\u202f000 more draws',
    )
    expect(outlookOf({ ...going, points: growing(100), rate: 0 }).state).toBe('not yet')
  })

  test('is past once it is reached, from where it stays so', () => {
    const points = [
      { draws: 100, ess: 450 },
      { draws: 200, ess: 90 },
      { draws: 800, ess: 410 },
      { draws: 1000, ess: 500 },
    ]
    expect(outlookOf({ ...going, points })).toEqual({ state: 'reached', text: 'ESS 400 is reached since 800 draws' })
    expect(outlookOf({ ...going, points, rhat: 1.2 }).state).toBe('reached')
  })

  test('is not known of too few draws', () => {
    for (const points of [[], [{ draws: 3, ess: Number.NaN }]]) {
      expect(outlookOf({ ...going, points }).text).toBe('ESS 400: too few draws to tell')
    }
  })

  test('has 100 a chain for its target, 400 at least, unless the address has another', () => {
    expect(targetOf(undefined, 4)).toBe(400)
    expect(targetOf(undefined, 1)).toBe(400)
    expect(targetOf(undefined, 64)).toBe(6400)
    expect(targetOf('1000', 4)).toBe(1000)
    for (const text of ['', 'x', '-3', '0', 'Infinity']) expect(targetOf(text, 4)).toBe(400)
  })
})
