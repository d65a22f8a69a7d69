/** A server that has more to do than it can take: the client waits, and loses nothing. */
import { afterEach, expect, test } from 'vitest'
import { HttpBackend } from '../../src/client/index.ts'
import { jsonOf, PROTOBUF } from '../http/api.ts'
import { type Served, serve } from '../node/serve.ts'
import { Raw } from '../support/raw.ts'

const MIB = 1024 * 1024

let served: Served | undefined
const clients: Raw[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await served?.server.close()
})

test('draws that met 503 overloaded are delivered later, each once', async () => {
  served = await serve({ bodiesBytes: 2 * MIB })
  const { server, api, bodies } = served
  const backend = new HttpBackend({ url: server.url })
  const run = await backend.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'float64', shape: [100] }] })
  const chain = await run.initChain(0)
  // Somebody else's body takes all the memory that there is for them.
  const other = new Raw(server.url)
  clients.push(other)
  const head = `PUT /v1/runs/s HTTP/1.1\r\nHost: x\r\nContent-Type: ${PROTOBUF}\r\nContent-Length: ${2 * MIB}\r\n\r\n`
  other.send(head).send(new Uint8Array(1.5 * MIB))
  await expect.poll(() => bodies.bytes).toBe(2 * MIB)
  for (let i = 0; i < 2000; i++) await chain.append({ x: new Float64Array(100).fill(i) })
  const delivered = chain.flush().then(() => 'delivered')
  expect(await Promise.race([delivered, new Promise((resolve) => setTimeout(resolve, 1500, 'waits'))])).toBe('waits')
  expect(await jsonOf(await api.get('/v1/runs/r/chains/0'))).toMatchObject({ length: 0 })
  other.destroy()
  expect(await delivered).toBe('delivered')
  await chain.append({ x: new Float64Array(100) })
  await backend.close()
  const again = await (await new HttpBackend({ url: server.url }).getRun('r'))?.getChain(0)
  expect(await again?.length()).toBe(2001)
  expect((await again?.getDrawsAt(1999))?.get('x')?.data[7]).toBe(1999)
})

test('reads that met it are answered later', async () => {
  served = await serve({ answers: 1 })
  const { server, openAnswers } = served
  const backend = new HttpBackend({ url: server.url })
  const run = await backend.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'uint8', shape: [MIB] }] })
  const chain = await run.initChain(0)
  for (let i = 0; i < 20; i++) await chain.append({ x: new Uint8Array(MIB) })
  await chain.flush()
  const deaf = new Raw(server.url)
  clients.push(deaf)
  deaf.socket.pause()
  deaf.send('GET /v1/runs/r/chains/0/draws HTTP/1.1\r\nHost: x\r\n\r\n')
  await expect.poll(() => openAnswers.count('answers')).toBe(1)
  const length = chain.length()
  expect(await Promise.race([length, new Promise((resolve) => setTimeout(resolve, 500, 'waits'))])).toBe('waits')
  deaf.destroy()
  expect(await length).toBe(20)
})
