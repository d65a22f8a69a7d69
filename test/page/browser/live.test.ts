/** Runs that grow while somebody looks: by PyMC, by CmdStan's files, in ten tabs, and over servers that go and come. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { newFolder, removeFolder } from '../../support/storage.ts'
import { test } from '../support/fixture.ts'
import { normal } from '../support/runs/odd.ts'
import { NO_DATA, readCsv } from '../support/runs/published.ts'
import { NO_PYTHON, python, type Sampling, sampleWithPyMC, sampling } from '../support/runs/schools.ts'
import { settled } from '../support/screens.ts'
import { keyedServer, openServer, type PageServer } from '../support/servers.ts'

let server: PageServer
let folder: string
let running: Sampling[] = []
beforeAll(async () => {
  folder = newFolder()
  server = await openServer()
})
afterEach(async () => {
  for (const each of running) await each.stop()
  running = []
})
afterAll(async () => {
  await server?.close()
  removeFolder(folder)
})

async function begin(rid: string, perSecond = 30, on = server): Promise<Sampling> {
  const begun = await sampling(on.backend, { rid, perSecond, chains: 2 })
  running.push(begun)
  await expect.poll(async () => (await on.json(`/v1/runs/${rid}/about`)).draws).toBeGreaterThan(0)
  return begun
}

/** Draws of the shortest chain, as the head of the page has it. */
async function shownDraws(page: Page): Promise<number> {
  const head = ((await page.locator('.run-head').textContent()) ?? '').replaceAll(/[\s\u202f]/g, '')
  return Number(/n=(\d+)/.exec(head)?.[1] ?? Number.NaN)
}

async function growsOn(page: Page): Promise<void> {
  const before = await shownDraws(page)
  await expect.poll(() => shownDraws(page)).toBeGreaterThan(before)
}

test('new draws are shown while they come, and not while the page is frozen', async ({ visit }) => {
  await begin('growing')
  const page = await visit.open(`${server.url}/ui/runs/growing`)
  await settled(page)
  await growsOn(page)
  await page.locator('body').press('Space')
  await page.waitForTimeout(400)
  const frozen = await shownDraws(page)
  await page.waitForTimeout(1500)
  expect(await shownDraws(page)).toBe(frozen)
  await page.locator('body').press('Space')
  await expect.poll(() => shownDraws(page)).toBeGreaterThan(frozen)
})

describe.for(['ten runs', 'the same run'] as const)('ten tabs of %s', (what) => {
  test('all show new draws, over three streams at most', async ({ visit }) => {
    const rids = what === 'ten runs' ? Array.from({ length: 10 }, (_, i) => `tab-${i}`) : ['one-for-all']
    for (const rid of rids) await begin(rid, 15)
    const context = await visit.context()
    const pages: Page[] = []
    for (let i = 0; i < 10; i++) {
      const page = await context.newPage()
      await page.goto(`${server.url}/ui/runs/${rids[i % rids.length]}`)
      pages.push(page)
    }
    for (const page of pages) await page.locator('.run-head').waitFor()
    const streams = Number(
      /^mcb_watchers(?:\{[^}]*\})? (\d+)/m.exec(await (await server.send('GET', '/metrics')).text())?.[1],
    )
    expect(streams).toBeGreaterThan(0)
    expect(streams).toBeLessThanOrEqual(what === 'ten runs' ? 3 : 1)
    await Promise.all(pages.map(growsOn))
  })
})

test('a server that goes away and comes back: the page says so, and goes on', async ({ visit }) => {
  visit.allow(/ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|Failed to load resource|shared worker|answer 503/)
  const away = await openServer()
  try {
    await normal(away.backend, { rid: 'stays', draws: 50 })
    const page = await visit.open(`${away.url}/ui/runs/stays`)
    await settled(page)
    expect(await shownDraws(page)).toBe(50)
    await away.stop()
    const told = page.getByRole('status').getByText('The server does not answer')
    await told.waitFor()
    expect(await shownDraws(page)).toBe(50)
    await away.startAgain()
    await told.waitFor({ state: 'detached' })
    const run = await away.backend.getRun('stays')
    for (const chain of (await run?.getChains()) ?? []) {
      await away.send('POST', `/v1/runs/stays/chains/${chain.number}/draws`, {
        start: 50,
        draws: { mu: [1], tau: [1] },
        stats: {
          tune: [false],
          lp: [0],
          energy: [1],
          diverging: [false],
          step_size: [0.5],
          tree_depth: [3],
          acceptance_rate: [1],
        },
      })
    }
    await expect.poll(() => shownDraws(page)).toBe(51)
  } finally {
    await away.close()
  }
})

test('a page that is opened while the server is away waits for it', async ({ visit }) => {
  visit.allow(/ERR_CONNECTION|Failed to load resource|answer 5\d\d|shared worker/)
  const away = await openServer()
  try {
    await normal(away.backend, { rid: 'stays', draws: 20 })
    const context = await visit.context()
    const page = await context.newPage()
    await context.route('**/v1/**', (route) => route.abort('connectionrefused'))
    await page.goto(`${away.url}/ui/runs/stays`)
    await page.getByText('The server does not answer').first().waitFor()
    await context.unroute('**/v1/**')
    await expect.poll(() => shownDraws(page)).toBe(20)
  } finally {
    await away.close()
  }
})

test('a run that is deleted while it is open', async ({ visit }) => {
  visit.allow(/40[49]/)
  await normal(server.backend, { rid: 'short-lived', draws: 60 })
  const page = await visit.open(`${server.url}/ui/runs/short-lived`)
  await settled(page)
  await server.backend.deleteRun('short-lived')
  await page.getByText('This run was deleted').waitFor()
  expect(await shownDraws(page)).toBe(60)
})

test('a key that is revoked while the page is open', async ({ visit }) => {
  visit.allow(/401|shared worker/)
  const keyed = await keyedServer()
  try {
    await normal(keyed.backend, { rid: 'guarded', draws: 40 })
    const key = await keyed.keyOf('read', 'guarded')
    const page = await visit.open(`${keyed.url}/ui/runs/guarded#${key}`)
    await settled(page)
    expect(await shownDraws(page)).toBe(40)
    await keyed.revoke(key)
    await page.getByText(/no longer valid|does not know this key/).waitFor({ timeout: 90_000 })
    await page.close()
  } finally {
    await keyed.close()
  }
})

test('CmdStan, followed live: each row of its file comes to the page', async ({ visit, skip }) => {
  if (NO_PYTHON !== undefined || NO_DATA !== undefined) skip(NO_PYTHON ?? NO_DATA)
  const place = join(folder, 'cmdstan')
  mkdirSync(place)
  const file = join(place, 'output_1.csv')
  const { lines } = readCsv('logistic_output_1.csv')
  const first = lines.findIndex((line) => /^-?\d/.test(line)) + 5
  writeFileSync(file, `${lines.slice(0, first).join('\n')}\n`)
  const tail = python(['-m', 'mcbackend_edge', 'tail', '--url', server.url, '--rid', 'stan', file])
  try {
    await expect
      .poll(async () => (await server.send('GET', '/v1/runs/stan/chains/0')).status, { timeout: 60_000 })
      .toBe(200)
    const page = await visit.open(`${server.url}/ui/runs/stan`)
    await settled(page)
    const before = await shownDraws(page)
    expect(before).toBeGreaterThan(0)
    appendFileSync(file, `${lines.slice(first, first + 20).join('\n')}\n`)
    await expect.poll(() => shownDraws(page)).toBe(before + 20)
  } finally {
    await tail.stop()
  }
})

test('PyMC, while it samples: divergences and draws come to the page', async ({ visit, skip }) => {
  if (NO_PYTHON !== undefined) skip(NO_PYTHON)
  const sampler = sampleWithPyMC(server.url, 'pymc')
  try {
    const isThere = async () => (await server.send('GET', '/v1/runs/pymc/chains/0')).status === 200
    await expect.poll(isThere, { timeout: 180_000, interval: 250 }).toBe(true)
    const page = await visit.open(`${server.url}/ui/runs/pymc`)
    await page.getByRole('heading', { level: 1, name: 'Eight schools, centered' }).waitFor()
    await growsOn(page)
    await sampler.ended
    await expect.poll(() => shownDraws(page)).toBe(900)
    await page.locator('.run-head').getByText('done').waitFor()
    const divergences = async (): Promise<string> => {
      const { checks } = await server.json('/v1/runs/pymc/checks', { Prefer: 'wait=30' })
      return checks.find(({ check }: { check: string }) => check === 'divergences').message
    }
    // Just behind the last draw, the server may judge a moment before it.
    await expect.poll(divergences).toMatch(/^\d+ of 2400 draws diverged/)
    const message = await divergences()
    await page.getByRole('region', { name: 'Verdict' }).getByText(message.slice(0, 30)).waitFor()
  } finally {
    await sampler.stop()
  }
}, 300_000)
