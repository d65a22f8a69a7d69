import { HttpBackend, HttpChain } from '../../src/client/index.ts'
import { conformance } from '../conformance/index.ts'
import { startApp, URL_OF_APP } from './server.ts'

conformance({
  name: 'sdk-memory',
  keepsDraws: true,
  open: async () => {
    const server = startApp()
    const c = () => new HttpBackend({ url: URL_OF_APP, fetch: server.fetch })
    return {
      backend: c(),
      other: c(),
      flush: async (chain) => {
        if (chain instanceof HttpChain) await chain.flush()
      },
      close: async () => {},
    }
  },
})
