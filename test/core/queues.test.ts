/** Work in the order of its items, some of it at a time. */
import { expect, test } from 'vitest'
import { inOrder } from '../../src/core/queues.ts'
import { turn } from '../../src/core/turn.ts'

/** Work that takes as many turns as it is told, and the most that was at work at a time. */
class Workers {
  most = 0
  ended = 0
  private present = 0

  readonly work = async (turns: number): Promise<number> => {
    this.most = Math.max(this.most, ++this.present)
    for (let i = 0; i < turns; i++) await turn()
    this.present--
    this.ended++
    if (turns === 13) throw new Error('thirteen')
    return turns
  }
}

const ITEMS = [9, 1, 5, 2, 8, 4, 3]

test.each([1, 3, 100])('results come in the order of the items, with %i of them at work', async (most) => {
  const workers = new Workers()
  const results: number[] = []
  for await (const result of inOrder(ITEMS, most, workers.work)) results.push(result)
  expect(results).toEqual(ITEMS)
  expect(workers.most).toBe(Math.min(most, ITEMS.length))
})

test('a failure comes when its turn does, and the work that was begun has ended then', async () => {
  const workers = new Workers()
  const results: number[] = []
  const read = async () => {
    for await (const result of inOrder([4, 13, 20, 1], 3, workers.work)) results.push(result)
  }
  await expect(read()).rejects.toThrow('thirteen')
  expect(results).toEqual([4])
  expect(workers.ended).toBe(4)
})

test('nothing is begun for a reader that has left', async () => {
  const workers = new Workers()
  for await (const _ of inOrder([1, 1, 1, 1, 1, 1], 2, workers.work)) break
  expect(workers.ended).toBe(3)
})
