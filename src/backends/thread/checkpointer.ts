/** A thread that copies the write-ahead log into the database while its writer goes on. */
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'

if (parentPort === null) throw new Error('this module runs in a worker thread')
const port = parentPort
const database = new Database(workerData)
database.pragma('synchronous = FULL')

/** Frames in the log, and how many of them are in the database by now. */
export interface CheckpointResult {
  readonly log: number
  readonly checkpointed: number
}

port.on('message', (message: 'checkpoint' | 'close') => {
  if (message === 'close') {
    database.close()
    port.close()
    return
  }
  // https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
  const [row] = database.prepare<[], CheckpointResult>('PRAGMA wal_checkpoint(PASSIVE)').all()
  port.postMessage(row ?? { log: 0, checkpointed: 0 })
})
