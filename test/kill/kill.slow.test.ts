/** The kill test in short; `npm run kill-test` is the long one. */
import { expect, test } from 'vitest'
import { TARGETS } from './target.ts'
import { trial } from './trial.ts'

test.each(TARGETS)(
  '%s: three kills while clients write lose, double and skip nothing',
  { timeout: 400_000 },
  async (target) => {
    const { draws, faults } = await trial({ target, rounds: 3, seconds: 1, runs: 2, chains: 4 })
    expect(faults).toEqual([])
    expect(draws).toBeGreaterThan(0)
  },
)
