/** The suite on a SQLite file in a thread of its own. */
import { StoreBackend } from '../../src/runs/backend.ts'
import { countRows, openThread } from '../support/storage.ts'
import { conformance } from './index.ts'

conformance({
  name: 'SQLite thread',
  keepsDraws: true,
  scale: 0.3,
  open: async () => {
    const { openStore, path, close } = await openThread()
    return {
      backend: new StoreBackend(openStore()),
      other: new StoreBackend(openStore()),
      countRows: async () => countRows(path),
      close,
    }
  },
})
