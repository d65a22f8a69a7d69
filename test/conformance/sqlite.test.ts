/** The suite on a SQLite file. */
import { StoreBackend } from '../../src/runs/backend.ts'
import { countRows, openFile } from '../support/storage.ts'
import { conformance } from './index.ts'

conformance({
  name: 'SQLite file',
  keepsDraws: true,
  open: async () => {
    const { openStore, path, close } = openFile()
    return {
      backend: new StoreBackend(openStore()),
      other: new StoreBackend(openStore()),
      countRows: async () => countRows(path),
      close,
    }
  },
})
