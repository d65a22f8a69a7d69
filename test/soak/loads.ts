/** Loads of the soak: each goes on until time is over, and leaves nothing open of its own. */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { HttpBackend } from '../../src/client/index.ts'
import { drawBatch, PROTOBUF, runMeta } from '../http/api.ts'

const MIB = 1024 * 1024

export class Tally {
  readonly failures: string[] = []
  private readonly counts = new Map<string, number>()

  add(what: string, count = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + count)
  }

  fail(why: string): void {
    this.failures.push(why)
  }

  toString(): string {
    const counts = [...this.counts].map(([what, count]) => `${count} ${what}`)
    return [...counts, `${this.failures.length} faults`].join(', ')
  }
}

export interface Shared {
  readonly url: URL
  readonly tally: Tally
  isOver(): boolean
}

export type Load = (shared: Shared) => Promise<void>

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
let rids = 0
const newRid = () => `soak-${++rids}`

/** Two chains that are written through the client, read back whole, and deleted; then anew. */
const writers: Load = async ({ url, tally, isOver }) => {
  const backend = new HttpBackend({ url: url.href })
  while (!isOver()) {
    const rid = newRid()
    const variables = [
      { name: 'x', dtype: 'float64', shape: [16] },
      { name: 'word', dtype: 'str' },
    ]
    const run = await backend.initRun({ rid, variables })
    const draws = 2000
    const write = async (number: number) => {
      const chain = await run.initChain(number)
      for (let i = 0; i < draws; i++) await chain.append({ x: new Float64Array(16).fill(i), word: `draw ${i}` })
      await chain.close()
      tally.add('draws written', draws)
      const x = await chain.getDraws('x')
      if (!('data' in x) || x.data.length !== draws * 16) tally.fail(`run ${rid} has not all of its draws`)
      else
        for (let i = 0; i < draws; i++) if (x.data[i * 16 + 7] !== i) tally.fail(`draw ${i} of ${rid} is another one`)
    }
    await Promise.all([write(0), write(1)])
    await backend.deleteRun(rid)
  }
}

/** A run with a chain of 8 MiB. */
async function largeRun({ url }: Shared): Promise<string> {
  const rid = newRid()
  const send = async (method: string, path: string, body?: Uint8Array<ArrayBuffer>) => {
    const headers = body === undefined ? {} : { 'Content-Type': PROTOBUF }
    for (;;) {
      const answer = await fetch(new URL(`/v1/runs/${rid}${path}`, url), { method, headers, ...(body && { body }) })
      await answer.arrayBuffer()
      if (answer.ok) return
      if (answer.status !== 503) throw new Error(`${method} ${path} was answered with ${answer.status}`)
      await pause(500)
    }
  }
  await send('PUT', '', runMeta({ variables: [{ name: 'x', dtype: 'float64', shape: [1024] }] }))
  await send('PUT', '/chains/0')
  const x = { name: 'x', dtype: 'float64', data: new Uint8Array(randomBytes(8 * MIB)) }
  await send('POST', '/chains/0/draws', drawBatch({ start: 0, count: 1024, draws: [x] }))
  return rid
}

function open({ url }: Shared): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname, () => resolve(socket))
    socket.once('error', reject)
    // The server may cut what follows at any time.
    socket.on('error', () => undefined)
  })
}

const head = (method: string, path: string, ...lines: readonly string[]) =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`

/** Thirty connections at a time that ask for 8 MiB, some of them many times over, and read nothing. */
const stalledReaders: Load = async (shared) => {
  const rid = await largeRun(shared)
  while (!shared.isOver()) {
    const sockets = await Promise.all(Array.from({ length: 30 }, () => open(shared)))
    for (const [i, socket] of sockets.entries()) {
      socket.pause()
      const accept = i % 3 === 0 ? 'application/json' : PROTOBUF
      const request = head('GET', `/v1/runs/${rid}/chains/0/draws`, `Accept: ${accept}`)
      socket.write(request.repeat(i % 2 === 0 ? 1 : 50))
    }
    shared.tally.add('answers unread', sockets.length)
    await pause(10_000)
    for (const socket of sockets) socket.destroy()
  }
}

/** Bodies that inflate beyond the limit, that announce much and send little, and draws without bytes. */
const bombs: Load = async (shared) => {
  const { url, tally, isOver } = shared
  const rid = await largeRun(shared)
  const path = `/v1/runs/${rid}/chains/0/draws`
  const bomb = gzipSync(new Uint8Array(80 * MIB))
  while (!isOver()) {
    const headers = { 'Content-Type': PROTOBUF, 'Content-Encoding': 'gzip' }
    const answers = Array.from({ length: 6 }, () => fetch(new URL(path, url), { method: 'POST', headers, body: bomb }))
    for (const answer of await Promise.allSettled(answers)) {
      if (answer.status === 'rejected') continue
      await answer.value.arrayBuffer()
      if (![413, 503].includes(answer.value.status)) tally.fail(`a bomb was answered with ${answer.value.status}`)
    }
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open(shared)))
    for (const socket of sockets) {
      socket.write(head('POST', path, `Content-Type: ${PROTOBUF}`, `Content-Length: ${64 * MIB}`))
      socket.write(new Uint8Array(MIB))
    }
    tally.add('bombs', answers.length + sockets.length)
    await pause(2000)
    for (const socket of sockets) socket.destroy()
  }
}

/** Requests whose client goes away at some byte of the body or of the answer. */
const aborted: Load = async (shared) => {
  const rid = await largeRun(shared)
  const path = `/v1/runs/${rid}/chains/0/draws`
  while (!shared.isOver()) {
    const controller = new AbortController()
    const init: RequestInit =
      Math.random() < 0.5
        ? { method: 'POST', headers: { 'Content-Type': PROTOBUF }, body: new Uint8Array(4 * MIB) }
        : { headers: { Accept: Math.random() < 0.5 ? PROTOBUF : 'application/json' } }
    const asked = fetch(new URL(path, shared.url), { ...init, signal: controller.signal })
    setTimeout(() => controller.abort(), Math.random() * 30)
    await asked.then((answer) => answer.arrayBuffer()).catch(() => undefined)
    shared.tally.add('requests aborted')
    await pause(5)
  }
}

/** Event streams that come and go. */
const watchers: Load = async (shared) => {
  const rid = await largeRun(shared)
  while (!shared.isOver()) {
    const controllers = Array.from({ length: 20 }, () => new AbortController())
    for (const { signal } of controllers) {
      const watch = async () => {
        const answer = await fetch(new URL(`/v1/runs/${rid}/events`, shared.url), { signal })
        await answer.body?.getReader().read()
      }
      watch().catch(() => undefined)
    }
    shared.tally.add('watchers', controllers.length)
    await pause(1000)
    for (const controller of controllers) controller.abort()
  }
}

export const LOADS: Readonly<Record<string, Load>> = {
  writers,
  'stalled-readers': stalledReaders,
  bombs,
  aborted,
  watchers,
}
