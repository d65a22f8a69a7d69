/** A request that meets a run object which is restarting: 503 with `Retry-After`, and a client that rides over it. */
import { runInDurableObject } from 'cloudflare:test'
import { afterAll, expect, test } from 'vitest'
import { HttpBackend } from '../../src/client/index.ts'
import { encodeRunMeta } from '../../src/core/wire/run-meta.ts'
import { fetchWorker } from './local.ts'
import { objectOf, quiet, SILENT } from './objects.ts'

afterAll(quiet)

const VARIABLES = [{ name: 'x', dtype: 'float64' }]

/** Lets a registration wait for the catalogue inside the object, and then restarts the object. */
async function restartUnder(rid: string): Promise<void> {
  await runInDurableObject(objectOf(rid), (object) => {
    object.catalogue = SILENT
  })
  setTimeout(() => {
    void runInDurableObject(objectOf(rid), (_, state) => state.abort('restarting')).catch(() => undefined)
  }, 300)
}

test('it gets 503 with Retry-After, and what it did is found again', async () => {
  await restartUnder('restarted')
  const body = encodeRunMeta({ rid: 'restarted', variables: VARIABLES })
  const put = () =>
    fetchWorker(
      new Request('http://worker.test/v1/runs/restarted', {
        method: 'PUT',
        headers: { 'Content-Type': 'application/x-protobuf' },
        body,
      }),
    )
  const refused = await put()
  expect(refused.status).toBe(503)
  expect(refused.headers.get('Retry-After')).toBe('1')
  expect(await refused.json()).toMatchObject({ code: 'storage_unavailable', status: 503 })
  // It was stored before the object waited, or is stored now.
  expect([200, 201]).toContain((await put()).status)
})

test('the client rides over it', async () => {
  await restartUnder('ridden')
  let refusals = 0
  const client = new HttpBackend({
    url: 'http://worker.test',
    fetch: async (request) => {
      const answer = await fetchWorker(request)
      if (answer.status === 503) refusals++
      return answer
    },
  })
  const run = await client.initRun({ rid: 'ridden', variables: VARIABLES })
  expect(refusals).toBe(1)
  const chain = await run.initChain(0)
  for (let i = 0; i < 5; i++) await chain.append({ x: i })
  await chain.close()
  expect(await chain.getDraws('x')).toMatchObject({ data: Float64Array.of(0, 1, 2, 3, 4) })
})

test('a watch that breaks with the object is taken up again', async () => {
  const client = new HttpBackend({ url: 'http://worker.test', fetch: fetchWorker, retry: { base: 20 } })
  const run = await client.initRun({ rid: 'watched', variables: VARIABLES })
  const chain = await run.initChain(0)
  const lengths: number[] = []
  for await (const { length } of run.watch()) {
    lengths.push(length)
    if (length === 3) break
    if (length === 1) {
      await runInDurableObject(objectOf('watched'), (_, state) => state.abort('restarting')).catch(() => undefined)
    }
    await chain.append({ x: 1 })
    if (length === 1) await chain.append({ x: 1 })
    await chain.flush()
  }
  expect(lengths).toEqual([0, 1, 3])
})
