/** The worker of draws in a browser: it fetches what plots need, with the key, and of a run that grows what is new. */
import { afterAll, beforeAll, expect } from 'vitest'
import type { HttpRun } from '../../../src/client/index.ts'
import { normal } from '../draws/world.ts'
import { test } from '../support/fixture.ts'
import { write } from '../support/runs/writing.ts'
import { type KeyedServer, keyedServer } from '../support/servers.ts'

const RID = 'walk'
const DRAWS = 120

let server: KeyedServer
let run: HttpRun
beforeAll(async () => {
  server = await keyedServer()
  const variables = [{ name: 'mu', dtype: 'float64' }]
  const sampleStats = [{ name: 'lp', dtype: 'float64' }]
  run = await write(server.backend, {
    meta: { rid: RID, variables, sampleStats },
    chains: 2,
    draws: DRAWS,
    draw: (chain, i) => [{ mu: normal(chain, i) }, { lp: -(normal(chain, i) ** 2) }],
  })
})
afterAll(() => server?.close())

test('fetches draws of a run once, and then those behind them', async ({ visit }) => {
  const context = await visit.context()
  const asked: string[] = []
  context.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url())
    const place = `${pathname.split('/').slice(-2).join('/')} ${searchParams.get('stat')}`
    if (pathname.endsWith('/draws')) asked.push(`${place} ${searchParams.get('start')}-${searchParams.get('stop')}`)
  })
  const page = await context.newPage()
  await page.goto(`${server.url}/ui/runs/${RID}#${await server.keyOf('read')}`)
  await page.getByRole('figure', { name: /log density/i }).waitFor()
  const ofLp = () => asked.filter((each) => each.includes(' lp ')).sort()
  await expect.poll(ofLp).toEqual([`0/draws lp 0-${DRAWS}`, `1/draws lp 0-${DRAWS}`])
  const chain = await run.getChain(1)
  for (let i = 0; i < 30; i++) await chain?.append({ mu: 0 }, { lp: 0 })
  await chain?.close()
  await expect.poll(() => ofLp().at(-1)).toContain(`-${DRAWS + 30}`)
  const news = ofLp().slice(2)
  for (const each of news) expect(each).toMatch(/^1\/draws lp 1[2-4]\d-/)
})
