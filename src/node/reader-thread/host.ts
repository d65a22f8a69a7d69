/** The thread that reads large parts of objects and verifies them. */
import { parentPort, workerData } from 'node:worker_threads'
import { describeError } from '../../core/log-text.ts'
import { FileObjects } from '../../objects/file-objects.ts'
import { nodeDisk } from '../../objects/node-disk.ts'
import { PartsHere } from '../../objects/parts.ts'
import { type PartsAnswer, type PartsQuestion, unpackParts } from './protocol.ts'

if (parentPort === null) throw new Error('this module runs in a worker thread')
const port = parentPort
const folder: string = workerData
const parts = new PartsHere(new FileObjects(nodeDisk, folder))

async function answer(question: PartsQuestion): Promise<void> {
  const { id } = question
  let reply: PartsAnswer
  try {
    reply = { id, ...(await parts.read(unpackParts(question))) }
  } catch (error) {
    reply = { id, failure: describeError(error) }
  }
  port.postMessage(reply, 'memory' in reply ? [reply.memory.buffer] : [])
}

port.on('message', (question: PartsQuestion) => void answer(question))
