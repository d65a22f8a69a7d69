/** A process that stages objects in the SQLite file of its first argument until it is killed, and says which were acknowledged. */
import { openFolderStorage } from '../../src/node/storage-thread/folder-storage.ts'
import { objectAt, pathAt } from './staged-pattern.ts'
import { MIGRATIONS } from './storage.ts'

const [path = ''] = process.argv.slice(2)
const storage = await openFolderStorage({ path, migrations: MIGRATIONS })
const store = storage.openStore('local')
let next = 0
const lane = async () => {
  for (;;) {
    const i = next++
    await store.stage('r', pathAt(i), objectAt(i))
    process.stdout.write(`${i}\n`)
  }
}
await Promise.all(Array.from({ length: 8 }, lane))
