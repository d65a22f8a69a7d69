/** Chains as objects: created, found, counted, and what a handle of a run that is gone does. */
import { expect, test } from 'vitest'
import { expectSameDraws, floats } from './arrays.ts'
import type { Topic } from './suite.ts'

const X = [{ name: 'x', dtype: 'float64' }]
const GONE = /^(run_not_found|run_replaced)$/

export const handles: Topic = {
  name: 'chains and handles',
  reads: false,
  define(suite) {
    test('a chain is created once', async () => {
      const run = await suite.newRun(X)
      expect(await run.getChain(3)).toBeUndefined()
      const first = await run.initChain(3)
      const again = await run.initChain(3)
      if (suite.tells('isNew')) expect([first.isNew, again.isNew]).toEqual([true, false])
      expect([first.number, first.rid]).toEqual([3, run.rid])
    })

    test('a chain that must be new is not opened when it exists', async () => {
      const run = await suite.newRun(X)
      await run.initChain(3)
      await expect(run.initChain(3, { exclusive: true })).rejects.toMatchObject({ code: 'chain_exists' })
      expect(await (await run.initChain(4, { exclusive: true })).length()).toBe(0)
    })

    test('chains come by number, whatever the order of their making', async () => {
      const run = await suite.newRun(X)
      for (const number of [2 ** 31 - 1, 10, 0, 9]) await run.initChain(number)
      const seen = await suite.other.getRun(run.rid)
      const chains = (await seen?.getChains()) ?? []
      expect(chains.map((chain) => chain.number)).toEqual([0, 9, 10, 2 ** 31 - 1])
      expect((await seen?.getChain(9))?.number).toBe(9)
    })

    test('a malformed chain number or run id is refused', async () => {
      const run = await suite.newRun(X)
      for (const number of [-1, 2 ** 31]) {
        await expect(run.initChain(number), String(number)).rejects.toMatchObject({ code: 'invalid_parameter' })
      }
      expect(await run.getChains()).toEqual([])
      for (const rid of ['a/b', 'a b', 'ä', 'n'.repeat(129)]) {
        await expect(suite.backend.initRun({ rid, variables: X })).rejects.toMatchObject({ code: 'invalid_parameter' })
      }
    })

    test('a chain number is whole', async () => {
      const run = await suite.newRun(X)
      for (const number of [0.5, Number.NaN]) {
        await expect(run.initChain(number), String(number)).rejects.toMatchObject({ code: 'invalid_parameter' })
      }
      expect(await run.getChains()).toEqual([])
    })

    test('a chain that is created in a race exists once', async () => {
      const run = await suite.newRun(X)
      const seen = await suite.other.getRun(run.rid)
      for (let number = 0; number < suite.rounds(20, 4); number++) {
        const made = await Promise.all([run.initChain(number), seen?.initChain(number)])
        if (suite.tells('isNew')) expect(made.filter((chain) => chain?.isNew)).toHaveLength(1)
      }
      expect(await run.getChains()).toHaveLength(suite.rounds(20, 4))
    })

    test('the length of a chain is that of the storage, through every handle', async () => {
      const chain = await suite.newChain(X)
      const other = await suite.otherChain(chain)
      expect(await other.length()).toBe(0)
      expect(await chain.appendBatch({ start: 0, count: 2, draws: new Map([['x', floats([2], [1, 2])]]) })).toBe(2)
      expect(await other.length()).toBe(2)
      expect(await other.appendBatch({ start: 2, count: 1, draws: new Map([['x', floats([1], [3])]]) })).toBe(3)
      expect(await chain.length()).toBe(3)
    })

    test('chains and runs do not mix', async () => {
      const runs = [await suite.newRun(X), await suite.newRun(X)]
      for (const [r, run] of runs.entries()) {
        for (const c of [0, 1]) {
          const chain = await run.initChain(c)
          await chain.appendBatch({
            start: 0,
            count: r + 1,
            draws: new Map([['x', floats([r + 1], [r, c].slice(0, r + 1))]]),
          })
        }
      }
      for (const [r, run] of runs.entries()) {
        for (const c of [0, 1]) {
          const chain = await run.getChain(c)
          expect(await chain?.length()).toBe(r + 1)
          if (suite.keepsDraws && chain)
            expectSameDraws(await chain.getDraws('x'), floats([r + 1], [r, c].slice(0, r + 1)))
        }
      }
    })

    test('handles of a deleted run do nothing, also when its id is in use again', async () => {
      const run = await suite.newRun(X)
      const chain = await run.initChain(0)
      const draws = new Map([['x', floats([1], [1])]])
      await chain.appendBatch({ start: 0, count: 1, draws })
      expect(await suite.other.deleteRun(run.rid)).toBe(true)
      await expect(chain.appendBatch({ start: 1, count: 1, draws })).rejects.toMatchObject({
        code: expect.stringMatching(GONE),
      })

      const next = await suite.other.initRun({ rid: run.rid, variables: X })
      if (suite.tells('isNew')) expect(next.isNew).toBe(true)
      if (suite.tells('registration')) expect(next.registration).not.toBe(run.registration)
      expect(await next.getChains()).toEqual([])
      const nextChain = await next.initChain(0)
      for (const doing of [
        () => chain.appendBatch({ start: 0, count: 1, draws }),
        () => chain.length(),
        () => run.initChain(1),
        () => run.getChains(),
      ]) {
        await expect(doing()).rejects.toMatchObject({ code: expect.stringMatching(GONE) })
      }
      expect(await nextChain.length()).toBe(0)
      expect(await next.getChains()).toHaveLength(1)
      const found = await suite.backend.getRun(run.rid)
      expect(found?.registration).toBe(next.registration)
    })
  },
}
