/** A copy of the file that is made while clients write holds each chain up to a moment, and serves as a storage. */
import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HttpBackend } from '../../src/client/index.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const SCRIPT = fileURLToPath(new URL('../../scripts/backup.mjs', import.meta.url))
const CHAINS = [0, 1, 2, 3]
const SIZE = 16
const VARIABLES = [{ name: 'x', dtype: 'float64', shape: [SIZE] }]

let folder: string
let servers: ServerProcess[]
beforeEach(() => {
  folder = newFolder()
  servers = []
})
afterEach(async () => {
  for (const server of servers) await server.stop('SIGKILL')
  removeFolder(folder)
})

async function start(data: string): Promise<ServerProcess> {
  const server = await startServer({ MCB_DATA_DIR: data })
  servers.push(server)
  return server
}

const backup = (data: string, target: string) =>
  promisify(execFile)(process.execPath, [SCRIPT, target], { env: { ...process.env, MCB_DATA_DIR: data } })

/** Element `k` of draw `i` tells where it belongs. */
const element = (chain: number, i: number, k: number) => chain * 1e8 + i * SIZE + k

test('during ingest: what was acknowledged before it began is there, in order, without a hole', async () => {
  const data = join(folder, 'data')
  const { url } = await start(data)
  const client = new HttpBackend({ url })
  const run = await client.initRun({ rid: 'written', variables: VARIABLES })
  const acknowledged = CHAINS.map(() => 0)
  let over = false
  const writing = CHAINS.map(async (number) => {
    const chain = await run.initChain(number)
    for (let start = 0; !over; ) {
      // Batches of all sizes, so that tails, folds and chunks are all copied at some point.
      const count = 1 + ((start * 7) % 900)
      const values = Float64Array.from({ length: count * SIZE }, (_, j) => element(number, start, j))
      const x = { dtype: 'float64', shape: [count, SIZE], data: values } as const
      start = await chain.appendBatch({ start, count, draws: new Map([['x', x]]) })
      acknowledged[number] = start
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })
  for (let copy = 0; copy < 2; copy++) {
    await new Promise((resolve) => setTimeout(resolve, 300))
    const before = [...acknowledged]
    const target = join(folder, `copy-${copy}.sqlite`)
    await backup(data, target)
    const after = [...acknowledged]
    expect(after.reduce((a, b) => a + b)).toBeGreaterThan(before.reduce((a, b) => a + b))

    const restored = join(folder, `restored-${copy}`)
    mkdirSync(restored)
    copyFileSync(target, join(restored, 'mcbackend.sqlite'))
    const server = await start(restored)
    const reader = await new HttpBackend({ url: server.url }).getRun('written')
    for (const number of CHAINS) {
      const draws = await (await reader?.getChain(number))?.getDraws('x')
      if (draws === undefined || !('data' in draws)) throw new Error(`chain ${number} is not in the copy`)
      const [length = 0] = draws.shape
      expect(length).toBeGreaterThanOrEqual(before[number] ?? 0)
      // One batch may have been stored whose answer was still under way.
      expect(length).toBeLessThanOrEqual((after[number] ?? 0) + 900)
      expect(draws.data.every((value, j) => value === element(number, 0, j))).toBe(true)
      // The copy is a storage like any other: writing goes on where it ends.
      const x = { dtype: 'float64', shape: [1, SIZE], data: new Float64Array(SIZE) } as const
      const chain = await reader?.getChain(number)
      expect(await chain?.appendBatch({ start: length, count: 1, draws: new Map([['x', x]]) })).toBe(length + 1)
    }
    await server.stop()
  }
  over = true
  await Promise.all(writing)
})

test('it never overwrites, and says what it lacks', async () => {
  const target = join(folder, 'copy.sqlite')
  await expect(backup(join(folder, 'nothing'), target)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('MCB_DATA_DIR'),
  })
  const data = join(folder, 'data')
  const server = await start(data)
  writeFileSync(target, 'precious')
  await expect(backup(data, target)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('exists') })
  await expect(backup(data, join(folder, 'no', 'such', 'folder'))).rejects.toMatchObject({ code: 1 })
  expect(existsSync(join(folder, 'copy.sqlite.partial'))).toBe(false)
  await server.stop()
})

test('nothing is not copied', async () => {
  const data = join(folder, 'data')
  mkdirSync(data)
  writeFileSync(join(data, 'mcbackend.sqlite'), '')
  const target = join(folder, 'copy.sqlite')
  await expect(backup(data, target)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('is empty') })
  expect(existsSync(target)).toBe(false)
})
