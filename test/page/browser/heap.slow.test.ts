/** A page that is left open does not grow. */
import type { CDPSession } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { test } from '../support/fixture.ts'
import { normal } from '../support/runs/odd.ts'
import { settled } from '../support/screens.ts'
import { openServer, type PageServer } from '../support/servers.ts'

const UPDATES = 1000

let server: PageServer
beforeAll(async () => {
  server = await openServer()
})
afterAll(() => server?.close())

/** Bytes that are in use after the collector has been there. */
async function heapOf(session: CDPSession): Promise<number> {
  for (let i = 0; i < 3; i++) await session.send('HeapProfiler.collectGarbage')
  return (await session.send('Runtime.getHeapUsage')).usedSize
}

test.for(['', '?tab=variables&sel=mu'])(
  `at "%s" the heap is as large after ${UPDATES} updates, within a fifth`,
  { timeout: 300_000 },
  async (tab, { visit }) => {
    const rid = `grows-${tab.length}`
    await normal(server.backend, { rid, chains: 1, draws: 500 })
    const page = await visit.open(`${server.url}/ui/runs/${rid}${tab}`)
    await settled(page)
    const session = await page.context().newCDPSession(page)
    const run = await server.backend.getRun(rid)
    const chain = await run?.initChain(0)
    const append = async (updates: number) => {
      for (let i = 0; i < updates; i++) {
        const stats = {
          tune: false,
          lp: 0,
          energy: 1,
          diverging: false,
          step_size: 0.5,
          tree_depth: 3,
          acceptance_rate: 1,
        }
        await chain?.append({ mu: Math.sin(i), tau: 1 }, stats)
        await chain?.flush()
        await new Promise((resolve) => setTimeout(resolve, 40))
      }
      await page.waitForTimeout(1500)
    }
    // Code is compiled and buffers are made by the first ones.
    await append(100)
    const before = await heapOf(session)
    await append(UPDATES)
    const after = await heapOf(session)
    expect(((await page.locator('.run-head').textContent()) ?? '').replaceAll(/[\s\u202f]/g, '')).toContain('n=1600')
    expect(after / before, `${before} and ${after} bytes`).toBeLessThan(1.2)
  },
)
