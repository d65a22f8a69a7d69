/** The conformance suite on run objects that may have little, and move their draws to a bucket. */
import { env } from 'cloudflare:workers'
import { DurableStore } from '../../../src/backends/durable/durable-store.ts'
import { ShardedCatalogue } from '../../../src/backends/durable/sharded-catalogue.ts'
import { StoreBackend } from '../../../src/runs/backend.ts'
import { conformance } from '../../conformance/index.ts'
import { countRows } from '../local.ts'
import { countObjectRows, quiet } from '../objects.ts'
import { patiently } from './bucket.ts'

/** A store whose appends wait while an object is full, as those of clients do. */
class PatientStore extends DurableStore {
  override append(registration: string, chain: number, body: Uint8Array<ArrayBuffer>): Promise<number> {
    return patiently(() => super.append(registration, chain, body))
  }
}

/** With caches of its own, as another isolate has them. */
const open = () => new StoreBackend(new PatientStore(env.RUNS, new ShardedCatalogue(env.CATALOGUE), 'local'))

conformance({
  name: 'run objects with a bucket',
  keepsDraws: true,
  scale: 0.2,
  open: async () => ({
    backend: open(),
    other: open(),
    countRows: async () => (await countRows()) + (await countObjectRows()) + (await countKeys()),
    close: quiet,
  }),
})

/** Objects of the bucket. */
async function countKeys(): Promise<number> {
  const { objects } = await env.DRAWS.list()
  return objects.length
}
