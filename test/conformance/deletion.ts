/** Deleting a run: nothing of it is left, also by writers that were at work on it. */
import { expect, test } from 'vitest'
import { type Column, variableOf } from './columns.ts'
import type { Topic } from './suite.ts'

const COLUMNS: readonly Column[] = [
  { name: 'x', dtype: 'float64', shape: [] },
  { name: 'wide', dtype: 'float64', shape: [200] },
  { name: 'ragged', dtype: 'int16', shape: [-1] },
  { name: 'word', dtype: 'str', shape: [] },
]

export const deletion: Topic = {
  name: 'deletion',
  reads: false,
  define(suite) {
    test('deletion leaves no row', async () => {
      const before = await suite.countRows()
      const content = suite.content(70, COLUMNS)
      const run = await suite.newRun(COLUMNS.map(variableOf), COLUMNS.map(variableOf))
      for (const number of [0, 1, 5]) {
        const chain = await run.initChain(number)
        let length = 0
        for (const count of [1, 300, 2, 1, 700, 1, 1]) {
          const batch = {
            ...content.batch(length, count),
            stats: content.columnsOf(length, count, COLUMNS.slice(0, 2)),
          }
          length = await chain.appendBatch(batch)
        }
      }
      await run.initChain(6)
      const during = await suite.countRows()
      if (before !== undefined && during !== undefined) expect(during).toBeGreaterThan(before)
      expect(await suite.other.deleteRun(run.rid)).toBe(true)
      expect(await suite.countRows()).toBe(before)
      expect(await suite.backend.getRun(run.rid)).toBeUndefined()
      const again = await suite.backend.deleteRun(run.rid)
      if (suite.tells('deleted')) expect(again).toBe(false)
      expect((await suite.backend.listRuns({ limit: 1000 })).runs.map((r) => r.rid)).not.toContain(run.rid)
    })

    test('other runs keep their chains', async () => {
      const content = suite.content(71, COLUMNS)
      const kept = await suite.newChain(COLUMNS.map(variableOf))
      const gone = await suite.newChain(COLUMNS.map(variableOf))
      for (const chain of [kept, gone]) await chain.appendBatch(content.batch(0, 400))
      await suite.backend.deleteRun(gone.rid)
      expect(await kept.length()).toBe(400)
      if (suite.keepsDraws)
        expect(await kept.getDraws('word')).toEqual(
          content.read(
            COLUMNS[3] ?? { name: '', dtype: 'str', shape: [] },
            Array.from({ length: 400 }, (_, i) => i),
          ),
        )
    })

    test('deletion under writers leaves no row either', async () => {
      const before = await suite.countRows()
      const content = suite.content(72, COLUMNS)
      for (let round = 0; round < suite.rounds(8, 3); round++) {
        const run = await suite.newRun(COLUMNS.map(variableOf))
        const writing = [0, 1, 2].map(async (number) => {
          const chain = await run.initChain(number)
          for (let length = 0; ; ) {
            length = await chain.appendBatch(content.batch(length, 1 + ((length * 7) % 150)))
            // A backend in memory would leave no room for the one who deletes.
            await new Promise((resolve) => setTimeout(resolve))
          }
        })
        const outcomes = Promise.allSettled(writing)
        await new Promise((resolve) => setTimeout(resolve, 5 + round * 3))
        expect(await suite.other.deleteRun(run.rid)).toBe(true)
        for (const outcome of await outcomes) {
          // The writer stops, be it told that the run is gone or that another one is there.
          expect(outcome).toMatchObject({
            status: 'rejected',
            reason: { code: expect.stringMatching(/^(run_not_found|run_replaced|chain_not_found)$/) },
          })
        }
        expect(await suite.backend.getRun(run.rid)).toBeUndefined()
        expect(await suite.countRows()).toBe(before)
      }
    })

    test('two who delete at once: one has done it', async () => {
      for (let round = 0; round < suite.rounds(10, 3); round++) {
        const run = await suite.newRun(COLUMNS.map(variableOf))
        const done = await Promise.all([suite.backend.deleteRun(run.rid), suite.other.deleteRun(run.rid)])
        if (suite.tells('deleted')) expect(done.filter((deleted) => deleted)).toHaveLength(1)
        expect(await suite.backend.getRun(run.rid)).toBeUndefined()
      }
    })
  },
}
