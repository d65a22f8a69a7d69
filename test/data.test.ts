/** Real reference draws go in through every storage, and through the client, and come back bit for bit. */
import { describe, expect, it } from 'vitest'
import { createApp } from '../src/app.ts'
import { MemoryStore } from '../src/backends/memory.ts'
import { HttpBackend } from '../src/client/index.ts'
import type { Backend } from '../src/core/interfaces.ts'
import type { Store } from '../src/core/store.ts'
import { StoreBackend } from '../src/runs/backend.ts'
import { referenceDraws } from './support/posteriordb.ts'
import { roundTrip } from './support/reference.ts'
import { openFile, openThread } from './support/storage.ts'

const reference = referenceDraws()

const STORAGES: Readonly<Record<string, () => Promise<{ openStore: () => Store; close(): Promise<void> }>>> = {
  memory: async () => {
    const store = new MemoryStore()
    return { openStore: () => store, close: async () => {} }
  },
  'SQLite file': async () => openFile(),
  'SQLite thread': openThread,
}

function throughClient(backend: StoreBackend): Backend {
  const app = createApp({ openBackend: () => backend })
  return new HttpBackend({ url: 'http://reference.test', fetch: async (request) => app.fetch(request) })
}

describe('reference draws of posteriordb', () => {
  for (const [name, open] of Object.entries(STORAGES)) {
    for (const [way, reach] of Object.entries({
      directly: (b: StoreBackend): Backend => b,
      'through the client': throughClient,
    })) {
      it(`${name}, ${way}`, async ({ skip }) => {
        if (reference === undefined) return skip('../shared/data/posteriordb is absent')
        const storage = await open()
        try {
          const backend = reach(new StoreBackend(storage.openStore()))
          for (const [posterior, chains] of Object.entries(reference)) {
            expect(chains).toHaveLength(10)
            await roundTrip(backend, posterior, chains)
          }
        } finally {
          await storage.close()
        }
      })
    }
  }
})
