/** Hostile draws against the server as it is started, and a hostile disk against draws. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { batchOf, drawBatch, expectProblem, jsonOf, PROTOBUF, runMeta } from '../http/api.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const DRAWS = '/v1/runs/r/chains/0/draws'
const JSON_TYPE = { Accept: 'application/json' }

let folder: string
let server: ServerProcess
const start = async () => {
  server = await startServer({ MCB_DATA_DIR: folder })
}
beforeEach(async () => {
  folder = newFolder()
  await start()
})
afterEach(async () => {
  await server.stop()
  removeFolder(folder)
})

async function register(...variables: { name: string; dtype: string; shape?: number[] }[]): Promise<void> {
  const body = runMeta({ variables })
  expect((await server.api.request('PUT', '/v1/runs/r', { body })).status).toBe(201)
  expect((await server.api.request('PUT', '/v1/runs/r/chains/0')).status).toBe(201)
}

const post = (body: Uint8Array<ArrayBuffer>) =>
  server.api.request('POST', DRAWS, { headers: { 'Content-Type': PROTOBUF }, body })

test.each(['str', 'float64'])('a thousand million draws of %s of size zero', async (dtype) => {
  await register({ name: 'x', dtype, shape: [0] })
  const count = 1_000_000
  const batch = (from: number, n: number) => drawBatch({ start: from, count: n, draws: [{ name: 'x', dtype }] })
  const batches = 1026
  for (let i = 0; i < batches; i++) expect((await post(batch(i * count, count))).status).toBe(200)
  const length = batches * count
  for (let round = 0; round < 2; round++) {
    expect(await jsonOf(await server.api.get(`${DRAWS}?start=-1`, JSON_TYPE))).toMatchObject({ draws: { x: [[]] } })
    expect((await batchOf(await server.api.get(DRAWS))).count).toBe(length + round)
    // As lists they would be more than an answer may have.
    await expectProblem(await server.api.get(DRAWS, JSON_TYPE), 413, 'payload_too_large')
    expect(await jsonOf(await post(batch(length + round, 1)))).toEqual({ chain: 0, length: length + round + 1 })
    await server.stop('SIGKILL')
    await start()
  }
})

test('flipped bits of an object and of the journal are an error that the log tells of, and no wrong numbers', async () => {
  await register({ name: 'x', dtype: 'float64' })
  const batch = (from: number, n: number) =>
    drawBatch({ start: from, count: n, draws: [{ name: 'x', dtype: 'float64', data: new Uint8Array(8 * n).fill(63) }] })
  expect((await post(batch(0, 100_000))).status).toBe(200)
  expect((await post(batch(100_000, 10))).status).toBe(200)
  await server.stop()
  const pattern = Buffer.alloc(80, 63)
  const [object] = readdirSync(`${folder}/objects`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.1$/.test(name),
  )
  const [segment] = readdirSync(`${folder}/journal`)
  for (const path of [`${folder}/objects/${object}`, `${folder}/journal/${segment}`]) {
    const bytes = readFileSync(path)
    const at = bytes.indexOf(pattern)
    expect(at).toBeGreaterThanOrEqual(0)
    bytes[at + 40] = 62
    writeFileSync(path, bytes)
  }
  await start()
  for (const slice of ['?stop=20', '?start=-1', '']) {
    await expectProblem(await server.api.get(`${DRAWS}${slice}`), 500, 'internal_error')
  }
  await expect.poll(() => server.output()).toContain('is not what was written')
  // Other blocks are as they were, and the sampler goes on.
  expect((await batchOf(await server.api.get(`${DRAWS}?start=20000&stop=20010`))).count).toBe(10)
  expect(await jsonOf(await post(batch(100_010, 50_000)))).toMatchObject({ length: 150_010 })
  expect((await batchOf(await server.api.get(`${DRAWS}?start=100010`))).count).toBe(50_000)
})
