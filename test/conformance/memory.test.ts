/** The suite on the memory backend. */
import { MemoryStore } from '../../src/backends/memory.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { conformance } from './index.ts'

conformance({
  name: 'memory',
  keepsDraws: true,
  open: async () => {
    const store = new MemoryStore()
    return { backend: new StoreBackend(store), other: new StoreBackend(store), close: async () => {} }
  },
})
