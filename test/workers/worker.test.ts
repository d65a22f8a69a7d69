/** The conformance suite on the client in front of the worker, in workerd. */
import { env, exports } from 'cloudflare:workers'
import { HttpBackend, HttpChain } from '../../src/client/index.ts'
import type { Chain } from '../../src/core/interfaces.ts'
import { conformance } from '../conformance/index.ts'
import { countObjectRows, quiet } from './objects.ts'
import { countRows } from './rows.ts'

const open = () => new HttpBackend({ url: 'http://worker.test', fetch: (request) => exports.default.fetch(request) })

conformance({
  name: 'client in front of the worker',
  keepsDraws: true,
  scale: 0.1,
  open: async () => ({
    backend: open(),
    other: open(),
    flush: async (chain: Chain) => {
      if (chain instanceof HttpChain) await chain.flush()
    },
    countRows: async () => (await countRows(env.DB)) + (await countObjectRows()),
    close: quiet,
  }),
})
