/** Every number on the page is the API's, as the page writes numbers. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { count, percent, rhatText, significant, withError } from '../../../web/src/paint/number.ts'
import { test } from '../support/fixture.ts'
import { normal } from '../support/runs/odd.ts'
import { cmdstan, NO_DATA, posteriordb } from '../support/runs/published.ts'
import { sampled } from '../support/runs/schools.ts'
import { settled } from '../support/screens.ts'
import { openServer, type PageServer } from '../support/servers.ts'

let server: PageServer
beforeAll(async () => {
  server = await openServer()
  await sampled(server.backend, { rid: 'schools' })
  await normal(server.backend, { rid: 'off', off: 2, warmup: 100 })
  if (NO_DATA === undefined) {
    await posteriordb(server.backend, 'posteriordb')
    await cmdstan(server.backend, 'cmdstan')
  }
})
afterAll(() => server?.close())

const RUNS = ['schools', 'off', ...(NO_DATA === undefined ? ['posteriordb', 'cmdstan'] : [])]

/** The checks, when all of them are known. */
async function checksOf(rid: string) {
  return server.json(`/v1/runs/${rid}/checks`, { Prefer: 'wait=30' })
}

async function textOf(page: Page, selector: string): Promise<string> {
  return plain((await page.locator(selector).allTextContents()).join(' '))
}

/** Text with one kind of space, and without the marks of code, which the page shows as such. */
function plain(text: string): string {
  return text.replaceAll('`', '').replaceAll(/\s+/g, ' ')
}

test.for(RUNS)('%s: the overview says what the checks say', async (rid, { visit }) => {
  const { checks, status } = await checksOf(rid)
  const page = await visit.open(`${server.url}/ui/runs/${rid}`)
  await settled(page)
  const verdict = page.getByRole('region', { name: 'Verdict' })
  await expect.poll(async () => plain((await verdict.textContent()) ?? '')).not.toContain('computed')
  const text = plain((await verdict.textContent()) ?? '')
  for (const { status: each, message } of checks) if (each !== 'ok') expect(text).toContain(plain(message))
  const words: Readonly<Record<string, string>> = { ok: 'fine', warn: 'look', fail: 'problem', unknown: 'not known' }
  expect(plain((await verdict.getByRole('heading').textContent()) ?? '')).toContain(words[status])
})

test.for(RUNS)('%s: the head says how many draws there are', async (rid, { visit }) => {
  const { chains } = await server.json(`/v1/runs/${rid}/chains`)
  const page = await visit.open(`${server.url}/ui/runs/${rid}`)
  await settled(page)
  const lengths: readonly number[] = chains.map(({ length }: { length: number }) => length)
  const head = await textOf(page, '.run-head')
  expect(head).toContain(`${chains.length} chains`)
  expect(head).toContain(`n = ${plain(count(Math.min(...lengths)))}`)
})

test('the list says what each line of the API says', async ({ visit }) => {
  for (const rid of RUNS) await checksOf(rid)
  const page = await visit.open(`${server.url}/ui/`)
  await page.locator('tr.run-row').first().waitFor()
  for (const { rid, name, chains, draws, diagnostics } of (await server.json('/v1/runs')).runs) {
    const row = page.locator('tr.run-row').filter({ has: page.getByRole('link', { name: name ?? rid, exact: true }) })
    const cell = async (kind: string) => plain((await row.locator(`.cell.${kind}`).textContent()) ?? '')
    expect(await cell('chains')).toContain(plain(count(chains)))
    expect(await cell('draws')).toContain(plain(count(draws)))
    if (diagnostics === null) continue
    expect(await cell('rhat')).toContain(plain(rhatText(diagnostics.rhat)))
    expect(await cell('ess')).toContain(plain(count(diagnostics.essBulk)))
    expect(await cell('ess')).toContain(plain(count(diagnostics.essTail)))
    if (diagnostics.divergences !== null)
      expect(await cell('divergences')).toContain(plain(count(diagnostics.divergences)))
    if (diagnostics.bfmi !== null) expect(await cell('bfmi')).toContain(plain(significant(diagnostics.bfmi, 2)))
  }
})

describe.for(['posterior', 'arviz'] as const)('numbers of %s', (convention) => {
  test.for(RUNS)('%s: the table of variables is the summary', async (rid, { visit }) => {
    const query = new URLSearchParams({ convention, limit: '20', sort: '-rhat' })
    const { rows } = await server.json(`/v1/runs/${rid}/summary?${query}`, { Prefer: 'wait=30' })
    const page = await visit.open(`${server.url}/ui/runs/${rid}?tab=variables&convention=${convention}`)
    await settled(page)
    expect(rows.length).toBeGreaterThan(1)
    for (const { label, mean, mcse_mean, sd, ess_bulk, ess_tail, rhat } of rows.slice(0, 6)) {
      const row = page
        .getByRole('row')
        .filter({ has: page.getByText(label, { exact: true }) })
        .first()
      await row.waitFor({ timeout: 10_000 })
      await expect.poll(async () => plain((await row.textContent()) ?? '')).toContain(plain(rhatText(rhat)))
      const text = plain((await row.textContent()) ?? '')
      for (const figure of [withError(mean, mcse_mean), significant(sd), count(ess_bulk), count(ess_tail)]) {
        expect(text, `${label} ${figure}`).toContain(plain(figure))
      }
    }
  })
})

test('divergences are as many as the check says, and as large a share', async ({ visit }) => {
  const { checks } = await checksOf('schools')
  const { message } = checks.find(({ check }: { check: string }) => check === 'divergences')
  const [, diverged, all] = /^(\d+) of (\d+) draws diverged/.exec(message) ?? []
  const page = await visit.open(`${server.url}/ui/runs/schools`)
  await settled(page)
  const verdict = page.getByRole('region', { name: 'Verdict' })
  await expect.poll(async () => (await verdict.textContent()) ?? '').toContain(`${diverged} of ${all}`)
  expect(percent(Number(diverged) / Number(all))).toMatch(/%/)
})
