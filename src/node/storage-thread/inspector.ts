/** A thread that looks through the index once, while the server goes on, and says what is damaged. */
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { damageIn } from './inspection.ts'

if (parentPort === null) throw new Error('this module runs in a worker thread')
const database = new Database(workerData, { readonly: true })
parentPort.postMessage(damageIn(database))
database.close()
