/** Memory of the Node entry, a process of its own, while callers send without end, inflate, and read nothing. */
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { DRAWS, drawBatch, PROTOBUF, runMeta } from '../http/api.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { Raw } from '../support/raw.ts'
import { NOT_ON_LINUX, testUnless } from '../support/skip.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const MIB = 1024 * 1024

let folder: string
let server: ServerProcess
const clients: Raw[] = []
beforeEach(async () => {
  folder = newFolder()
  server = await startServer({ MCB_DATA_DIR: folder, MCB_LOG: 'quiet' })
  const variables = [{ name: 'x', dtype: 'uint8', shape: [MIB] }]
  await server.api.request('PUT', '/v1/runs/r', { body: runMeta({ variables }) })
  await server.api.request('PUT', '/v1/runs/r/chains/0')
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await server.stop('SIGKILL')
  removeFolder(folder)
})

function client(): Raw {
  const raw = new Raw(server.url)
  clients.push(raw)
  return raw
}

/** MiB that the process takes now. */
function resident(): number {
  const status = readFileSync(`/proc/${server.process.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

/** The most that the process takes while something goes on, beyond what it took before. */
async function growth(work: () => Promise<unknown>): Promise<number> {
  const before = resident()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, resident())
  }, 20)
  await work()
  await new Promise((resolve) => setTimeout(resolve, 500))
  clearInterval(timer)
  return Math.max(most, resident()) - before
}

function head(length: number, more = ''): string {
  return `POST ${DRAWS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${PROTOBUF}\r\nContent-Length: ${length}\r\n${more}\r\n`
}

const flushed = (raw: Raw) => expect.poll(() => raw.isClosed || raw.socket.writableLength === 0).toBe(true)

describe('memory', () => {
  const test = testUnless(NOT_ON_LINUX)

  test('of a hundred bodies of 64 MiB that are announced, of which a MiB comes', async () => {
    const piece = new Uint8Array(MIB)
    const grown = await growth(async () => {
      for (let i = 0; i < 100; i++)
        client()
          .send(head(64 * MIB))
          .send(piece)
      for (const raw of clients) await flushed(raw)
    })
    expect(grown).toBeLessThan(600)
    expect(clients.every((raw) => raw.text === '')).toBe(true)
  })

  test('of 24 bodies of 64 MiB at a time: some yield, and none takes it all', async () => {
    const body = new Uint8Array(64 * MIB)
    const grown = await growth(async () => {
      for (let i = 0; i < 24; i++) client().send(head(body.length)).send(body)
      await Promise.all(clients.map((raw) => expect.poll(() => raw.isClosed || raw.statuses.length).toBeTruthy()))
    })
    expect(grown).toBeLessThan(900)
    const statuses = clients.flatMap((raw) => raw.statuses)
    expect(statuses).toContain(503)
    // No protobuf: but it has come whole.
    expect(statuses).toContain(400)
  })

  test('of 50 bodies of 64 KB that inflate to 64 MiB each', async () => {
    const bomb = gzipSync(new Uint8Array(64 * MIB - 1))
    const grown = await growth(async () => {
      for (let i = 0; i < 50; i++) client().send(head(bomb.length, 'Content-Encoding: gzip\r\n')).send(bomb)
      await Promise.all(clients.map((raw) => expect.poll(() => raw.statuses.length).toBe(1)))
    })
    expect(grown).toBeLessThan(900)
    expect((await server.api.get('/healthz')).status).toBe(200)
  })

  test('of readers who read nothing, and send more requests', async () => {
    for (let start = 0; start < 128; start += 32) {
      const body = drawBatch({
        start,
        count: 32,
        draws: [{ name: 'x', dtype: 'uint8', data: new Uint8Array(32 * MIB) }],
      })
      expect((await server.api.request('POST', DRAWS, { body })).status).toBe(200)
    }
    const request = `GET ${DRAWS} HTTP/1.1\r\nHost: localhost\r\n\r\n`
    const pipelined = await growth(async () => {
      client().socket.pause()
      clients[0]?.send(request.repeat(Math.floor(36_000 / request.length)))
      await new Promise((resolve) => setTimeout(resolve, 3000))
    })
    expect(pipelined).toBeLessThan(150)
    const deaf = await growth(async () => {
      for (let i = 0; i < 100; i++) {
        const raw = client().send(request)
        raw.socket.pause()
      }
      await new Promise((resolve) => setTimeout(resolve, 4000))
    })
    expect(deaf).toBeLessThan(600)
    expect((await server.api.get('/healthz')).status).toBe(200)
  })
})
