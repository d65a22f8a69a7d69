/** Two writers for one chain: one wins, the other is told, and nothing of it is mixed in. */
import { expect, test } from 'vitest'
import type { Chain, Draws } from '../../src/core/interfaces.ts'
import { expectSameDraws, isList } from './arrays.ts'
import { type Column, type Content, indicesOf, variableOf } from './columns.ts'
import type { Topic } from './suite.ts'

const COLUMNS: readonly Column[] = [
  { name: 'a', dtype: 'float64', shape: [] },
  { name: 'b', dtype: 'int32', shape: [3] },
  { name: 'c', dtype: 'str', shape: [-1] },
]

/** Compares a column with its draws, each of which comes from the writer that won it. */
function expectDrawsOf(draws: Draws, expected: readonly Draws[]): void {
  if (isList(draws)) {
    for (const [index, one] of expected.entries()) expectSameDraws(draws.slice(index, index + 1), one)
    return
  }
  const whole = expected.flatMap((one) => (isList(one) ? [] : [...one.data]))
  expect([...draws.data].map(String)).toEqual(whole.map(String))
}

export const races: Topic = {
  name: 'races',
  reads: true,
  define(suite) {
    test('two writers race for the same index, round after round', async () => {
      const chain = await suite.newChain(COLUMNS.map(variableOf))
      const writers = [chain, await suite.otherChain(chain)]
      const contents = [suite.content(10, COLUMNS), suite.content(11, COLUMNS)]
      const winners: number[] = []
      let length = 0
      const wins = [0, 0]
      // Fewer only where a round is as slow as on ClickHouse.
      const rounds = Math.min(200, suite.rounds(2000))
      for (let round = 0; round < rounds; round++) {
        // Batches of equal and of different length; the writers take turns in calling first.
        const counts = [1 + (round % 7), 1 + (round % 3)]
        const order = round % 2 === 0 ? [0, 1] : [1, 0]
        const outcomes = await Promise.allSettled(
          order.map((w) =>
            writers[w]?.appendBatch(contents[w]?.batch(length, counts[w] ?? 0) ?? { count: 0, draws: new Map() }),
          ),
        )
        const won = outcomes.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [order[i] ?? 0] : []))
        const lost = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
        // With the reasons: a driver that has ended loses as well.
        expect(won, `round ${round}: ${lost.join('; ')}`).toHaveLength(1)
        expect(lost[0]).toMatchObject({ code: 'draw_conflict' })
        const [winner = 0] = won
        wins[winner] = (wins[winner] ?? 0) + 1
        const count = counts[winner] ?? 0
        for (let i = 0; i < count; i++) winners.push(winner)
        length += count
        expect(outcomes.find((outcome) => outcome.status === 'fulfilled')).toMatchObject({ value: length })
      }
      expect(await chain.length()).toBe(length)
      for (const column of COLUMNS) {
        const expected = winners.flatMap((winner, index) => {
          const content = contents[winner]
          return content === undefined ? [] : [content.read(column, [index])]
        })
        expectDrawsOf(await chain.getDraws(column.name), expected)
      }
    })

    test('two writers of the same content both succeed, and it is stored once', async () => {
      const chain = await suite.newChain(COLUMNS.map(variableOf))
      const writers = [chain, await suite.otherChain(chain)]
      const content = suite.content(12, COLUMNS)
      let length = 0
      for (let round = 0; round < suite.rounds(50, 10); round++) {
        const counts = [1 + (round % 5), 1 + (round % 4)]
        await Promise.all(writers.map((writer, w) => writer.appendBatch(content.batch(length, counts[w] ?? 1))))
        length += Math.max(...counts)
        expect(await chain.length()).toBe(length)
      }
      for (const column of COLUMNS) {
        expectSameDraws(await chain.getDraws(column.name), content.read(column, indicesOf(0, length, 1)))
      }
    })

    test('chains of one run are written at the same time', async () => {
      const run = await suite.newRun(COLUMNS.map(variableOf))
      const chains = await Promise.all([0, 1, 2, 3].map((number) => run.initChain(number)))
      const contents = chains.map((_, i) => suite.content(20 + i, COLUMNS))
      const batches = suite.rounds(50, 10)
      const write = async (chain: Chain, content: Content) => {
        for (let i = 0; i < batches; i++) await chain.appendBatch(content.batch(i * 3, 3))
      }
      await Promise.all(chains.map((chain, i) => write(chain, contents[i] ?? suite.content(0, COLUMNS))))
      for (const [i, chain] of chains.entries()) {
        expect(await chain.length()).toBe(batches * 3)
        for (const column of COLUMNS) {
          const expected = contents[i]?.read(column, indicesOf(0, batches * 3, 1)) ?? []
          expectSameDraws(await chain.getDraws(column.name), expected)
        }
      }
    })
  },
}
