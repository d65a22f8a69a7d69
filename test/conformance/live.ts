/** Reads of a chain that is being written: whole iterations, never torn, never changing. */
import { expect, test } from 'vitest'
import type { Chain } from '../../src/core/interfaces.ts'
import { expectSameArray, expectSameDraws, isList } from './arrays.ts'
import { type Column, indicesOf, variableOf } from './columns.ts'
import type { Topic } from './suite.ts'

const COLUMNS: readonly Column[] = [
  { name: 'a', dtype: 'float64', shape: [] },
  { name: 'wide', dtype: 'float64', shape: [300] },
  { name: 'ragged', dtype: 'int16', shape: [-1] },
  { name: 'word', dtype: 'str', shape: [] },
]

const lengthOf = (draws: Awaited<ReturnType<Chain['getDraws']>>) =>
  isList(draws) ? draws.length : (draws.shape[0] ?? 0)

export const live: Topic = {
  name: 'reads during writes',
  reads: true,
  define(suite) {
    test('what is read is a prefix of what is written, and grows', async () => {
      const content = suite.content(30, COLUMNS)
      const chain = await suite.newChain(COLUMNS.map(variableOf))
      const reader = await suite.otherChain(chain)
      const batches = suite.rounds(250, 30)
      let acknowledged = 0
      let reads = 0
      let writing = true
      const write = async () => {
        for (let i = 0; i < batches; i++) {
          // Mostly small batches, and now and then one that is large enough to be stored in another way.
          const count = i % 40 === 39 ? 150 : 1 + (i % 5)
          acknowledged = await chain.appendBatch(content.batch(acknowledged, count))
        }
        writing = false
      }
      const read = async () => {
        let seen = 0
        for (let i = 0; writing || i < COLUMNS.length; i++) {
          const column = COLUMNS[i % COLUMNS.length]
          if (column === undefined) return
          const before = acknowledged
          const draws = await reader.getDraws(column.name, i % 2 ? {} : { step: -1 })
          const length = lengthOf(draws)
          expect(length).toBeGreaterThanOrEqual(Math.max(before, seen))
          seen = length
          const indices = indicesOf(0, length, 1)
          expectSameDraws(draws, content.read(column, i % 2 ? indices : indices.toReversed()))
          reads++
        }
      }
      const readOne = async () => {
        while (writing) {
          if (acknowledged === 0) await reader.length()
          else {
            const at = acknowledged - 1
            for (const [name, draw] of await reader.getDrawsAt(at)) {
              const column = COLUMNS.find((c) => c.name === name)
              if (column !== undefined) expectSameArray(draw, content.draw(column, at))
            }
            reads++
          }
        }
      }
      await Promise.all([write(), read(), readOne()])
      expect(reads).toBeGreaterThan(COLUMNS.length)
      expect(await reader.length()).toBe(acknowledged)
    })

    test('a run that is deleted under a reader gives an error, or all of it', async () => {
      const content = suite.content(31, COLUMNS)
      for (let round = 0; round < suite.rounds(10, 3); round++) {
        const chain = await suite.newChain(COLUMNS.map(variableOf))
        await chain.appendBatch(content.batch(0, 200))
        const reader = await suite.otherChain(chain)
        const reading = Promise.allSettled(COLUMNS.map((column) => reader.getDraws(column.name)))
        await suite.backend.deleteRun(chain.rid)
        for (const [i, outcome] of (await reading).entries()) {
          const column = COLUMNS[i]
          if (outcome.status === 'rejected') expect(outcome.reason).toHaveProperty('code')
          else if (column !== undefined) expectSameDraws(outcome.value, content.read(column, indicesOf(0, 200, 1)))
        }
      }
    })
  },
}
