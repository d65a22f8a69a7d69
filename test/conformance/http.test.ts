/** The suite on the client, over HTTP on a real socket, in front of each storage of Node. */
import { expect } from 'vitest'
import { createApp } from '../../src/app.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { NullStore } from '../../src/backends/null.ts'
import { HttpBackend, HttpChain } from '../../src/client/index.ts'
import type { Store } from '../../src/core/store.ts'
import { readNodeBody } from '../../src/node/body.ts'
import { listen } from '../../src/node/server.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { openServer } from '../cli/served.ts'
import { expectMoved } from '../support/moved.ts'
import { countRows, openThread } from '../support/storage.ts'
import { conformance } from './index.ts'

interface Served {
  readonly store: Store
  readonly path?: string
  close(): Promise<void>
}

const STORAGES: Readonly<Record<string, () => Promise<Served>>> = {
  memory: async () => ({ store: new MemoryStore(), close: async () => {} }),
  null: async () => ({ store: new NullStore(), close: async () => {} }),
  'the SQLite thread': async () => {
    const { openStore, path, close } = await openThread()
    return { store: openStore(), path, close }
  },
}

/** Moves every run that the suite has left through an archive to a server with a SQLite file, and expects the same there. */
async function expectElsewhere(url: string): Promise<void> {
  const elsewhere = await openServer()
  try {
    expect(await expectMoved(url, elsewhere.url)).toBeGreaterThan(100)
  } finally {
    await elsewhere.close()
  }
}

for (const [name, serve] of Object.entries(STORAGES)) {
  let url = ''
  const last = { name: 'every run moves elsewhere', timeout: 600_000, run: () => expectElsewhere(url) }
  conformance({
    name: `client in front of ${name}`,
    keepsDraws: name !== 'null',
    scale: 0.1,
    every: 5,
    ...(name === 'the SQLite thread' && { last }),
    open: async () => {
      const { store, path, close } = await serve()
      const served = new StoreBackend(store)
      const app = createApp({ openBackend: () => served, readBody: readNodeBody })
      const server = await listen(app, '127.0.0.1', 0)
      url = server.url
      const clients = [new HttpBackend({ url }), new HttpBackend({ url })] as const
      return {
        backend: clients[0],
        other: clients[1],
        store,
        flush: async (chain) => {
          if (chain instanceof HttpChain) await chain.flush()
        },
        ...(path !== undefined && { countRows: async () => countRows(path) }),
        close: async () => {
          await server.close()
          await close()
        },
      }
    },
  })
}
