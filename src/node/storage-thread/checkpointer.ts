/** A thread that copies the write-ahead log into the database while its writer goes on. */
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { Progress } from '../../sql/file.ts'
import type { CheckpointResult } from './protocol.ts'

if (parentPort === null) throw new Error('this module runs in a worker thread')
const port = parentPort
const database = new Database(workerData)
database.pragma('synchronous = FULL')

function checkpoint(): CheckpointResult {
  try {
    // https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
    return database.prepare<[], Progress>('PRAGMA wal_checkpoint(PASSIVE)').get() ?? { log: 0, checkpointed: 0 }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}

port.on('message', (message: 'checkpoint' | 'close') => {
  if (message === 'checkpoint') {
    port.postMessage(checkpoint())
    return
  }
  database.close()
  port.close()
})
