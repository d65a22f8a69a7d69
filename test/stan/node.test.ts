/** The suite of stan.csv in memory and on SQLite files, over sockets. */
import { createApp } from '../../src/app.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { Store } from '../../src/core/store.ts'
import { openNodeBody } from '../../src/node/body-stream.ts'
import { listen } from '../../src/node/server.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { openFile, openThread } from '../support/storage.ts'
import { type StanServer, stan } from './suite.ts'

async function serve(store: Store, close: () => Promise<void>): Promise<StanServer> {
  const backend = new StoreBackend(store)
  const server = await listen(createApp({ openBackend: () => backend, openBody: openNodeBody }), '127.0.0.1', 0)
  return {
    url: server.url,
    fetch: (request) => fetch(request),
    close: async () => {
      await server.close()
      await close()
    },
  }
}

stan({ name: 'memory', open: () => serve(new MemoryStore(), async () => {}) })
stan({
  name: 'a SQLite file',
  open: async () => {
    const { openStore, close } = openFile()
    return serve(openStore(), close)
  },
})
stan({
  name: 'a SQLite file in a thread',
  open: async () => {
    const { openStore, close } = await openThread()
    return serve(openStore(), close)
  },
})
