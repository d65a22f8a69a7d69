/** Work in shifts: it goes on while somebody waits for it, for as long as one request allows, and stands still otherwise. */
import { describe, expect, test } from 'vitest'
import { LocalBench } from '../../../src/core/summary/bench.ts'
import { Shift } from '../../../src/core/summary/shift.ts'

const tick = (milliseconds = 0) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Work without end, of ten steps of effort each, and how many were done. */
function worker(shift: Shift) {
  const state = { steps: 0 }
  void (async () => {
    for (;;) {
      state.steps++
      await shift.pause(10)
    }
  })()
  return state
}

describe('a shift', () => {
  test('ends when its effort is spent, and the next one goes on', async () => {
    const shift = new Shift({ effort: 100 })
    const work = worker(shift)
    await tick(20)
    expect(work.steps).toBe(1)
    await shift.during((over) => over)
    expect(work.steps).toBe(11)
    await tick(20)
    expect(work.steps).toBe(11)
    await shift.during((over) => over)
    expect(work.steps).toBe(21)
  })

  test('ends with the last one who waits', async () => {
    const shift = new Shift({ effort: 1e9 })
    const work = worker(shift)
    const seen = async (steps: number) => {
      while (work.steps < steps) await tick(1)
    }
    await Promise.all([shift.during(() => seen(2)), shift.during(() => seen(5))])
    await tick(5)
    const { steps } = work
    await tick(20)
    expect(work.steps).toBe(steps)
    await expect(shift.during(() => Promise.reject(new Error('gone')))).rejects.toThrow('gone')
    await tick(5)
    const after = work.steps
    await tick(20)
    expect(work.steps).toBe(after)
  })

  test('is over for all who wait, each of whom gives it all of the effort anew', async () => {
    const shift = new Shift({ effort: 50 })
    const work = worker(shift)
    const ends = await Promise.all([1, 2, 3].map(() => shift.during((over) => over.then(() => work.steps))))
    expect(ends).toEqual([6, 6, 6])
  })

  test('fails the work when it is closed, be it at work or standing', async () => {
    const shift = new Shift({ effort: 100 })
    const standing = shift.pause(10)
    const failed = expect(standing).rejects.toThrow('nobody waits')
    await tick(10)
    shift.close()
    await failed
    await expect(shift.during(() => shift.pause(1))).rejects.toThrow('nobody waits')
  })

  test('rests behind its work', async () => {
    const worked: number[] = []
    const shift = new Shift({
      effort: 1000,
      rest: (milliseconds) => {
        worked.push(milliseconds)
        return 5
      },
    })
    worker(shift)
    const since = performance.now()
    await shift.during(async () => {
      while (worked.length < 5) await tick(1)
    })
    expect(performance.now() - since).toBeGreaterThan(4 * 4)
    for (const milliseconds of worked) expect(milliseconds).toBeLessThan(1)
  })
})

test('computing pauses behind some effort, whatever the clock says', async () => {
  const pauses: number[] = []
  const bench = new LocalBench({
    pause: async (effort) => {
      pauses.push(effort)
    },
  })
  const work = bench.begin({ elements: 40, chains: 4, draws: 1000 })
  for (const chain of [0, 1, 2, 3]) {
    const draws = Float64Array.from({ length: 40_000 }, (_, i) => Math.sin(i * i + chain))
    work.put({ chain, first: 0, from: 0, elements: 40 }, new Uint8Array(draws.buffer), 'float64')
  }
  await work.figures({ convention: 'posterior', figures: ['mean', 'sd', 'rhat', 'ess_bulk', 'ess_tail'] })
  // 40 scalars of 4,000 draws and 5 figures are 800,000 steps.
  expect(pauses).toHaveLength(4)
})
