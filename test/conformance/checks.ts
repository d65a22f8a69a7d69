/** Checks: the same findings from every backend as from the same draws in memory. */
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { RunChecks } from '../../src/core/diagnostics/checks/check.ts'
import type { Run } from '../../src/core/interfaces.ts'
import { examine } from '../../src/core/summary/of-run.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { normals } from '../support/draws-of-chains.ts'
import { floats, named, numbers } from './arrays.ts'
import type { Topic } from './suite.ts'

const VARIABLES = [
  { name: 'mu', dtype: 'float64' },
  { name: 'tau', dtype: 'float64' },
  { name: 'theta', dtype: 'float32', shape: [3] },
  { name: 'k', dtype: 'int64' },
]
const STATS = [
  { name: 'tune', dtype: 'bool' },
  { name: 'sampler_0__diverging', dtype: 'bool' },
  { name: 'sampler_1__diverging', dtype: 'bool' },
  { name: 'sampler_1__energy', dtype: 'float64' },
  { name: 'sampler_1__reached_max_treedepth', dtype: 'bool' },
]
const WARMUP = 20

/** Appends draws of a chain that is not where the others are, if it is chain 2; it diverges at small tau. */
async function grow(run: Run, chain: number, from: number, to: number): Promise<void> {
  const next = normals(1000 * chain + from)
  const place = await run.initChain(chain)
  const count = to - from
  const column = (of: (i: number) => number, each = 1) => Array.from({ length: each * count }, (_, i) => of(i))
  const bools = (values: readonly number[]) => numbers('bool', [count], values)
  const taus = column(() => Math.exp(next()))
  const divergent = taus.map((tau, i) => (from + i < WARMUP || tau < 0.2 ? 1 : 0))
  await place.appendBatch({
    start: from,
    count,
    draws: named(
      [
        'mu',
        floats(
          [count],
          column(() => next() + (chain === 2 ? 4 : 0)),
        ),
      ],
      ['tau', floats([count], taus)],
      [
        'theta',
        numbers(
          'float32',
          [count, 3],
          column(() => next(), 3),
        ),
      ],
      ['k', numbers('int64', [count], new Array<bigint>(count).fill(2n))],
    ),
    stats: named(
      ['tune', bools(column((i) => (from + i < WARMUP ? 1 : 0)))],
      ['sampler_0__diverging', bools(divergent.map((flag, i) => (i % 2 === 0 ? flag : 0)))],
      ['sampler_1__diverging', bools(divergent.map((flag, i) => (i % 2 === 1 ? flag : 0)))],
      [
        'sampler_1__energy',
        floats(
          [count],
          column(() => next()),
        ),
      ],
      ['sampler_1__reached_max_treedepth', bools(column((i) => (i % 50 === 0 ? 1 : 0)))],
    ),
  })
}

/** Checks but for the registration, and for the time that went by. */
function contentOf({ registration: _, ...checks }: RunChecks): object {
  return checks
}

export const checks: Topic = {
  name: 'checks',
  reads: true,
  define(suite) {
    test('are the same as of the draws in memory', async () => {
      const meta = { rid: suite.newRid(), variables: VARIABLES, sampleStats: STATS }
      const run = await suite.backend.initRun(meta)
      const memory = await new StoreBackend(new MemoryStore()).initRun(meta)
      for (const each of [run, memory]) {
        for (const chain of [0, 1, 2, 3]) {
          for (const [from, to] of [
            [0, 7],
            [7, 101],
            [101, 200],
          ] as const) {
            await grow(each, chain, from, to)
          }
        }
        await each.setAbout({ facts: { finishedAt: '2026-01-01T00:00:00Z' } })
      }
      const expected = await memory.checks()
      const found = Object.fromEntries(expected.checks.map(({ check, status }) => [check, status]))
      expect(found).toMatchObject({ progress: 'ok', divergences: 'fail', rhat: 'fail', bfmi: 'ok', treedepth: 'warn' })
      const [, , , divergences, rhat] = expected.checks
      expect(divergences?.message).toMatch(/they gather at small tau$/)
      expect(rhat?.message).toContain('without chain 2 that of mu')
      expect(contentOf(await run.checks())).toEqual(contentOf(expected))
      expect(contentOf(await examine(run))).toEqual(contentOf(expected))
    })

    test('of a run without draws are unknown, and end with the signal', async () => {
      const run = await suite.backend.initRun({ rid: suite.newRid(), variables: VARIABLES })
      expect((await run.checks()).status).toBe('unknown')
      const reason = new Error('enough')
      await expect(run.checks({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      await expect(examine(run, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    })
  },
}
