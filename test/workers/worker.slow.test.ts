/** The conformance suite on the client in front of the worker with D1 alone, in workerd. */
import { HttpBackend, HttpChain } from '../../src/client/index.ts'
import type { Chain } from '../../src/core/interfaces.ts'
import { conformance } from '../conformance/index.ts'
import { countRows, fetchD1Worker, openBackend } from './local.ts'

/** Storage that fails is not what this is about: it shows at once. */
const open = () => new HttpBackend({ url: 'http://worker.test', fetch: fetchD1Worker, retry: { limit: 3_000 } })

conformance({
  name: 'client in front of the worker with D1 alone',
  keepsDraws: true,
  scale: 0.1,
  every: 5,
  open: async () => ({
    backend: open(),
    other: open(),
    store: openBackend().store,
    flush: async (chain: Chain) => {
      if (chain instanceof HttpChain) await chain.flush()
    },
    countRows,
    close: async () => {},
  }),
})
