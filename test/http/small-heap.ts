/** Sends every body of bodies.ts to the application in this process and prints the statuses: for a process with a small heap. */
import { createApp } from '../../src/app.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { APPENDS, REGISTRATIONS } from './bodies.ts'

const backend = new StoreBackend(new MemoryStore())
const app = createApp({ openBackend: () => backend })
const run = await backend.initRun({
  rid: 'r',
  variables: [
    { name: 'x', dtype: 'float64' },
    { name: 'k', dtype: 'int16', shape: [-1] },
    { name: 's', dtype: 'str' },
  ],
})
await run.initChain(0)

async function send(method: string, path: string, body: Uint8Array): Promise<void> {
  const headers = { 'Content-Type': 'application/x-protobuf' }
  const response = await app.fetch(
    new Request(`http://localhost${path}`, { method, headers, body: new Uint8Array(body) }),
  )
  await response.text()
  console.log(response.status)
}

for (const [, make] of APPENDS) await send('POST', '/v1/runs/r/chains/0/draws', make())
for (const [, make] of REGISTRATIONS) {
  await send('PUT', '/v1/runs/heavy', make())
  await backend.deleteRun('heavy')
}
