/** The conformance suite on run objects, in workerd. */
import { StoreBackend } from '../../src/runs/backend.ts'
import { conformance } from '../conformance/index.ts'
import { countRows } from './local.ts'
import { countObjectRows, openObjects, quiet } from './objects.ts'

/** With caches of its own, as another isolate has them. */
const open = () => new StoreBackend(openObjects())

conformance({
  name: 'run objects',
  keepsDraws: true,
  scale: 0.2,
  open: async () => ({
    backend: open(),
    other: open(),
    countRows: async () => (await countRows()) + (await countObjectRows()),
    close: quiet,
  }),
})
