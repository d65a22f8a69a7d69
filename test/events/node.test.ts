/** Events from the Node server over a socket. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
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
