/** The conformance suite on the client in front of the worker with run objects that move their draws to a bucket. */
import { HttpBackend, HttpChain } from '../../../src/client/index.ts'
import type { Chain } from '../../../src/core/interfaces.ts'
import { conformance } from '../../conformance/index.ts'
import { countRows, fetchWorker } from '../local.ts'
import { countObjectRows, openObjects, quiet } from '../objects.ts'
import { keysUnder } from './look.ts'

/** An object that is full asks its sampler to wait while draws move; other failures show soon. */
const open = () => new HttpBackend({ url: 'http://worker.test', fetch: fetchWorker, retry: { limit: 10_000 } })

conformance({
  name: 'client in front of the worker with a bucket',
  keepsDraws: true,
  scale: 0.1,
  every: 5,
  open: async () => ({
    backend: open(),
    other: open(),
    store: openObjects(),
    flush: async (chain: Chain) => {
      if (chain instanceof HttpChain) await chain.flush()
    },
    countRows: async () => (await countRows()) + (await countObjectRows()) + (await keysUnder()).size,
    close: quiet,
  }),
})
