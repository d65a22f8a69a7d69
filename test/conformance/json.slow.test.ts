/**
 * The suite on a client whose bodies become JSON on their way to a server. Some stay as they are, since JSON cannot say them: NaN
 * with bits of its own, shapes below an empty list, more than 8 MiB, and what is to be refused as protobuf.
 */
import { expect } from 'vitest'
import { createApp } from '../../src/app.ts'
import { HttpBackend, HttpChain } from '../../src/client/index.ts'
import { readNodeBody } from '../../src/node/body.ts'
import { listen } from '../../src/node/server.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { jsonNetwork } from '../support/json-bodies.ts'
import { countRows, openThread } from '../support/storage.ts'
import { conformance } from './index.ts'

conformance({
  name: 'client that sends JSON, in front of the SQLite thread',
  keepsDraws: true,
  scale: 0.1,
  every: 5,
  leftOut: {
    topics: ['draws of size zero'],
    why: 'millions of draws without an element are megabytes of brackets in JSON',
  },
  open: async () => {
    const { openStore, path, close } = await openThread()
    const served = new StoreBackend(openStore())
    const server = await listen(createApp({ openBackend: () => served, readBody: readNodeBody }), '127.0.0.1', 0)
    const { fetch, sent } = jsonNetwork((request) => globalThis.fetch(request))
    const [backend, other] = [new HttpBackend({ url: server.url, fetch }), new HttpBackend({ url: server.url, fetch })]
    return {
      backend,
      other,
      store: served.store,
      flush: async (chain) => {
        if (chain instanceof HttpChain) await chain.flush()
      },
      countRows: async () => countRows(path),
      close: async () => {
        await server.close()
        await close()
        const reasons = [...new Set(sent.protobuf)].map(
          (why) => `${why}: ${sent.protobuf.filter((w) => w === why).length}`,
        )
        expect(sent.json, reasons.join('; ')).toBeGreaterThan(5 * sent.protobuf.length)
      },
    }
  },
})
