/** The server under test: the application as src/node.ts serves it, and the routes to compare it with. */
import { parseArgs } from 'node:util'
import { createApp } from '../src/app.ts'
import { readNodeBody } from '../src/node/body.ts'
import { listen } from '../src/node/server.ts'
import { openStorage, STORAGES } from '../src/node/storage.ts'
import { mountBaselines } from './lib/baselines.ts'
import { DurableLog } from './lib/durable-log.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    storage: { type: 'string', default: 'sqlite' },
    keys: { type: 'string' },
    help: { type: 'boolean' },
  },
})
const kind = STORAGES.find((name) => name === values.storage)
if (values.help || values.data === undefined || kind === undefined) {
  console.log('usage: node bench/server.ts --data FOLDER [--storage sqlite|memory|null] [--keys OPERATOR-TOKEN]')
  process.exit(values.help ? 0 : 1)
}
const storage = await openStorage(kind, values.data)
const { openBackend, control } = storage
const app = createApp({
  openBackend,
  readBody: readNodeBody,
  ...(values.keys !== undefined && { keys: { control, operatorToken: values.keys } }),
})
mountBaselines(app, readNodeBody, new DurableLog(values.data))
const server = await listen(app, '127.0.0.1', 0)
console.log(`listening on ${server.url}`)
process.on('SIGTERM', async () => {
  await server.close()
  await storage.close()
  process.exit(0)
})
