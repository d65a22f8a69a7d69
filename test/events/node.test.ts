/** Events from the Node server over a socket. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { HttpBackend } from '../../src/client/index.ts'
import { readNodeBody } from '../../src/node/body.ts'
import { type Listening, listen } from '../../src/node/server.ts'
import { openStorage, type Storage } from '../../src/node/storage.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { events } from './suite.ts'

let folder: string
let storage: Storage
let server: Listening

beforeAll(async () => {
  folder = newFolder()
  storage = await openStorage('sqlite', folder)
  server = await listen(createApp({ openBackend: storage.openBackend, readBody: readNodeBody }), '127.0.0.1', 0)
})

events(() => ({ name: 'Node', url: server.url, fetch: (request) => fetch(request) }))

test('a signal ends a watch that has lasted long', async () => {
  const backend = new HttpBackend({ url: server.url, signal: new AbortController().signal })
  const run = await backend.initRun({ rid: 'lasting', variables: [{ name: 'x', dtype: 'int8' }] })
  await run.initChain(0)
  const controller = new AbortController()
  const watched = run.watch({ signal: controller.signal })
  expect(await watched.next()).toMatchObject({ value: { chain: 0, length: 0 } })
  const waiting = watched.next()
  waiting.catch(() => undefined)
  // Garbage is collected while it waits.
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  for (let i = 0; i < 5; i++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  controller.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
}, 10_000)

test('a server that stops ends what watches', async () => {
  const backend = storage.openBackend('local')
  await backend.initRun({ rid: 'stopping', variables: [{ name: 'x', dtype: 'int8' }] })
  const answer = await fetch(`${server.url}/v1/runs/stopping/events`)
  const text = answer.text()
  const closed = server.close()
  storage.endWatches()
  await closed
  expect(await text).not.toContain('deleted')
})

afterAll(async () => {
  await storage.close()
  removeFolder(folder)
})
