/** A server process that is killed and started again under a sampler that notices nothing of it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { HttpBackend } from '../../src/client/index.ts'
import { pauseFor } from './server.ts'

const ENTRY = fileURLToPath(new URL('../../src/node.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'mcbackend-restart-'))
let server: ChildProcess | undefined

afterEach(async () => {
  await kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

async function start(port: string): Promise<string> {
  const child = spawn(process.execPath, [ENTRY], {
    env: { ...process.env, PORT: port, HOST: '127.0.0.1', MCB_DATA_DIR: folder, MCB_LOG: 'quiet' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  server = child
  let output = ''
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    const url = /listening on (http:\/\/[\d.:]+)/.exec(output)?.[1]
    if (url !== undefined) resolve(url)
  })
  child.once('exit', () => reject(new Error(`the server has ended: ${output}`)))
  return promise
}

async function kill(signal: NodeJS.Signals): Promise<void> {
  const child = server
  server = undefined
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  await once(child, 'exit')
}

it('loses and doubles no draw when the server is killed in the middle', async () => {
  const url = await start('0')
  const { port } = new URL(url)
  const retry = { limit: 60_000, base: 20, cap: 100 }
  const backend = new HttpBackend({ url, retry, flush: { count: 50, interval: 20 } })
  const variables = [
    { name: 'x', dtype: 'float64' },
    { name: 'v', dtype: 'int32', shape: [100] },
  ]
  const run = await backend.initRun({ rid: 'restarted', variables })
  const chains = await Promise.all([0, 1, 2].map((number) => run.initChain(number)))
  let isOver = false
  const lengths = chains.map(async (chain, c) => {
    let length = 0
    for (; !isOver; length++) {
      await chain.append({ x: length + c / 10, v: new Int32Array(100).fill(length) })
      if (length % 20 === 0) await pauseFor(1)
    }
    return length
  })
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    await pauseFor(250)
    await kill(signal)
    await pauseFor(100)
    expect(await start(port)).toBe(url)
  }
  await pauseFor(250)
  isOver = true
  const expected = await Promise.all(lengths)
  await backend.close()
  const seen = await new HttpBackend({ url }).getRun('restarted')
  for (const [c, chain] of ((await seen?.getChains()) ?? []).entries()) {
    const length = expected[c] ?? 0
    expect(length).toBeGreaterThan(500)
    expect(await chain.length()).toBe(length)
    expect(await chain.getDraws('x')).toMatchObject({ data: Float64Array.from({ length }, (_, i) => i + c / 10) })
    const v = await chain.getDraws('v')
    expect('data' in v && v.data.every((value, i) => value === Math.floor(i / 100))).toBe(true)
  }
}, 180_000)
