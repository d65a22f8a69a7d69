/** The list of runs: order, pages, and what each line says. */
import { expect, test } from 'vitest'
import type { Backend, RunSummary } from '../../src/core/interfaces.ts'
import { floats } from './arrays.ts'
import type { Topic } from './suite.ts'

const X = [{ name: 'x', dtype: 'float64' }]
/** Milliseconds that counts and times of the list may lag: those of docs/protocol.md §3, and as many as a busy machine adds. */
const LAG_MS = 15_000

/** The runs on pages of some size: all of them, or the first pages that hold `most`. */
async function allRuns(backend: Backend, limit: number, most = Number.POSITIVE_INFINITY): Promise<RunSummary[]> {
  const runs: RunSummary[] = []
  let cursor: string | undefined
  do {
    const page = await backend.listRuns(cursor === undefined ? { limit } : { limit, cursor })
    expect(page.runs.length).toBeLessThanOrEqual(limit)
    if (page.nextCursor !== undefined) expect(page.runs).toHaveLength(limit)
    runs.push(...page.runs)
    cursor = page.nextCursor
  } while (cursor !== undefined && runs.length < most)
  return runs
}

export const listing: Topic = {
  name: 'listing',
  reads: false,
  define(suite) {
    const lineOf = async (rid: string) => (await allRuns(suite.backend, 1000)).find((run) => run.rid === rid)
    /** Waits for a line to say what it must, as long as it may lag. */
    const eventually = (rid: string, expected: object) =>
      expect.poll(() => lineOf(rid), { timeout: LAG_MS, interval: 100 }).toMatchObject(expected)

    test('runs come in reverse order of registration, on pages of any size', async () => {
      const rids: string[] = []
      for (let i = 0; i < 12; i++) rids.unshift((await suite.newRun(X)).rid)
      for (const limit of [1, 5, 12, 13, 1000]) {
        const listed = (await allRuns(suite.other, limit, limit < 100 ? 14 : undefined)).map((run) => run.rid)
        expect(listed.slice(0, 12)).toEqual(rids)
        expect(new Set(listed).size).toBe(listed.length)
      }
      const page = await suite.backend.listRuns({ limit: 12 })
      expect(page.runs.map((run) => run.rid)).toEqual(rids)
    })

    test('a page is not moved by what is registered or deleted after it was asked for', async () => {
      const rids: string[] = []
      for (let i = 0; i < 6; i++) rids.unshift((await suite.newRun(X)).rid)
      const first = await suite.backend.listRuns({ limit: 3 })
      await suite.newRun(X)
      await suite.backend.deleteRun(rids[2] ?? '')
      await suite.backend.deleteRun(rids[4] ?? '')
      const second = await suite.backend.listRuns({ limit: 2, cursor: first.nextCursor ?? '' })
      expect(first.runs.map((run) => run.rid)).toEqual(rids.slice(0, 3))
      expect(second.runs.map((run) => run.rid)).toEqual([rids[3], rids[5]])
    })

    test('a line counts variables, stats, chains and draws, and its time moves', async () => {
      const before = Date.now()
      const run = await suite.newRun([...X, { name: 'y', dtype: 'int8' }], X)
      await eventually(run.rid, { variables: 2, sampleStats: 1, chains: 0, draws: 0 })
      const line = await lineOf(run.rid)
      expect(line?.createdAt).toBeInstanceOf(Date)
      expect(line?.createdAt.getTime()).toBeGreaterThanOrEqual(before - 1000)
      expect(line?.createdAt.getTime()).toBeLessThanOrEqual(Date.now() + 1000)
      expect(line?.updatedAt.getTime()).toBeGreaterThanOrEqual(line?.createdAt.getTime() ?? 0)

      const chains = [await run.initChain(0), await run.initChain(7)]
      await eventually(run.rid, { chains: 2, draws: 0 })
      const created = await lineOf(run.rid)
      await new Promise((resolve) => setTimeout(resolve, 20))
      for (const [i, chain] of chains.entries()) {
        const count = i + 2
        const draws = new Map([
          ['x', floats([count], new Array<number>(count).fill(1))],
          ['y', { dtype: 'int8', shape: [count], data: new Int8Array(count) } as const],
        ])
        await chain.appendBatch({ start: 0, count, draws })
      }
      await eventually(run.rid, { chains: 2, draws: 5 })
      const appended = await lineOf(run.rid)
      expect(appended?.updatedAt.getTime()).toBeGreaterThan(created?.updatedAt.getTime() ?? Number.POSITIVE_INFINITY)
      expect(appended?.createdAt).toEqual(line?.createdAt)
    })

    test('a run that is registered anew is the newest again', async () => {
      const first = await suite.newRun(X)
      const second = await suite.newRun(X)
      await suite.backend.deleteRun(first.rid)
      await suite.backend.initRun({ rid: first.rid, variables: X })
      const page = await suite.backend.listRuns({ limit: 2 })
      expect(page.runs.map((run) => run.rid)).toEqual([first.rid, second.rid])
    })
  },
}
