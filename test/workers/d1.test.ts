/** The conformance suite on D1, in workerd. */
import { env } from 'cloudflare:workers'
import { D1Driver } from '../../src/backends/sqlite/d1.ts'
import { SqliteStore } from '../../src/backends/sqlite/store.ts'
import { StoreBackend } from '../../src/backends/stored.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { conformance } from '../conformance/index.ts'
import { countRows } from './rows.ts'

/** With caches of its own, as another isolate has them. */
const open = () => new StoreBackend(new SqliteStore(new D1Driver(env.DB), 'local', DEFAULT_LIMITS))

conformance({
  name: 'D1',
  keepsDraws: true,
  scale: 0.2,
  open: async () => ({
    backend: open(),
    other: open(),
    countRows: () => countRows(env.DB),
    close: async () => {},
  }),
})
