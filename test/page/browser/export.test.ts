/** The files that the menu Export gives: a run as netCDF, with a key and without. */
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import type { HttpBackend } from '../../../src/client/index.ts'
import { test } from '../support/fixture.ts'
import { type KeyedServer, keyedServer, openServer, type PageServer } from '../support/servers.ts'

let server: PageServer
let keyed: KeyedServer
beforeAll(async () => {
  server = await openServer()
  keyed = await keyedServer()
  await store(server.backend)
  await store(keyed.backend)
})
afterAll(async () => {
  await server?.close()
  await keyed?.close()
})

async function store(backend: HttpBackend): Promise<void> {
  const run = await backend.initRun({ rid: 'r', variables: [{ name: 'theta', dtype: 'float64', shape: [] }] })
  const chain = await run.initChain(0)
  for (let i = 0; i < 20; i++) await chain.append({ theta: new Float64Array([i]) })
  await chain.flush()
}

/** The file that the browser saves. */
async function exported(page: Page): Promise<{ name: string; bytes: Buffer }> {
  await page.getByRole('button', { name: 'Export' }).click()
  const saved = page.waitForEvent('download')
  await page.getByRole('menuitem', { name: 'All draws (netCDF)' }).click()
  const download = await saved
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) }
}

test('without keys, the file is the one that the server makes', async ({ visit }) => {
  const { name, bytes } = await exported(await visit.open(`${server.url}/ui/runs/r`))
  expect(name).toBe('r.nc')
  expect(bytes.subarray(1, 4).toString()).toBe('HDF')
  const answer = await fetch(`${server.url}/v1/runs/r/data.nc`)
  expect(bytes.equals(Buffer.from(await answer.arrayBuffer()))).toBe(true)
})

test('with a key, too, which stands in no address', async ({ visit }) => {
  const key = await keyed.keyOf('read')
  const { name, bytes } = await exported(await visit.open(`${keyed.url}/ui/runs/r#${key}`))
  expect(name).toBe('r.nc')
  const answer = await fetch(`${keyed.url}/v1/runs/r/data.nc`, { headers: { Authorization: `Bearer ${key}` } })
  expect(bytes.equals(Buffer.from(await answer.arrayBuffer()))).toBe(true)
})
