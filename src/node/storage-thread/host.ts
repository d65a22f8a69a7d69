/** The thread that owns the SQLite file: it answers calls to the stores of all tenants, and to the control store. */
import { parentPort, workerData } from 'node:worker_threads'
import { SqlControl } from '../../access/sql/sql-control.ts'
import { SqlIndex } from '../../backends/folder/sql-index.ts'
import { toFailure } from '../../backends/outcome.ts'
import { packObjects } from '../../backends/packing.ts'
import { indexRuns } from '../../backends/sqlite/sqlite-store.ts'
import { McbError } from '../../core/errors.ts'
import { free } from '../../core/free.ts'
import { DEFAULT_LIMITS } from '../../core/limits.ts'
import { describeError } from '../../core/log-text.ts'
import { nodeDisk } from '../../objects/node-disk.ts'
import { cannotOpen } from '../../sql/cannot-open.ts'
import type { FileDriver } from '../../sql/file.ts'
import { type OwnedFile, openOwned } from '../owned-database.ts'
import { BackgroundCheckpoint } from './checkpoint.ts'
import { LookThrough } from './look-through.ts'
import type { Call, HostOptions, Noticed, Opened, Reply } from './protocol.ts'

if (parentPort === null) throw new Error('this module runs in a worker thread')
const port = parentPort
const options: HostOptions = workerData
/** Milliseconds before a deletion that was cut off is tried again. */
const DELETIONS_MS = 60_000

/** Buffers of an answer that are worth handing over instead of copying. */
const TRANSFER_BYTES = 16 * 1024

/** Things that belong to the thread alone. */
interface Owned {
  readonly driver: FileDriver
  readonly index: SqlIndex
}

/** Carries a call out and resolves to its result; buffers of it that are handed over are added to `transfer`. */
async function carryOut({ driver, index }: Owned, call: Call, transfer: ArrayBuffer[]): Promise<unknown> {
  if ('reusable' in call) return driver.reusableBytes()
  if ('control' in call) {
    const control = new SqlControl(driver)
    return Reflect.apply(control[call.control], control, call.args)
  }
  if ('index' in call) {
    const answer = await Reflect.apply(index[call.index], index, call.args)
    if (call.index === 'append' && 'repeats' in answer) transfer.push(answer.repeats.buffer)
    if (call.index === 'chunks' && answer.near.length >= TRANSFER_BYTES) transfer.push(answer.near.buffer)
    return answer
  }
  const store = index.openStore(call.tenant)
  const value = await Reflect.apply(store[call.method], store, call.args)
  if (call.method !== 'staged') return value
  const packed = packObjects(value)
  for (const { buffer } of packed.buffers) if (buffer.byteLength >= TRANSFER_BYTES) transfer.push(buffer)
  return packed
}

/** The bytes that a call has handed over. */
function bodyOf(call: Call): Uint8Array<ArrayBuffer> | undefined {
  if ('method' in call && call.method === 'stage') return call.args.find(isBytes)
  if (!('index' in call) || call.index !== 'append') return undefined
  const [append] = call.args
  return typeof append === 'object' && append !== null && 'body' in append && isBytes(append.body)
    ? append.body
    : undefined
}

async function answer(owned: Owned, call: Call): Promise<void> {
  const { id } = call
  const body = bodyOf(call)
  let returned: Uint8Array<ArrayBuffer> | undefined
  let reply: Reply
  const transfer: ArrayBuffer[] = []
  try {
    reply = { id, value: await carryOut(owned, call, transfer) }
  } catch (error) {
    const failure = toFailure(error)
    if (failure.code === 'run_not_found') returned = body
    reply = { id, failure, ...(returned && { returned }) }
  }
  const goesBack = returned !== undefined || transfer.some((buffer) => buffer === body?.buffer)
  if (body !== undefined && !goesBack) free(body)
  try {
    port.postMessage(reply, returned === undefined ? transfer : [returned.buffer])
  } catch (error) {
    port.postMessage({ id, failure: toFailure(error) } satisfies Reply)
  }
}

function isBytes(value: unknown): value is Uint8Array<ArrayBuffer> {
  return value instanceof Uint8Array && value.buffer instanceof ArrayBuffer
}

function notice(sentence: string): void {
  port.postMessage({ notice: sentence } satisfies Noticed)
}

/** A disk that is full keeps no server from reading: the rest of a deletion then goes later. */
async function completeDeletions(index: SqlIndex): Promise<void> {
  try {
    await index.completeDeletions()
  } catch (error) {
    if (!(error instanceof McbError)) throw error
    setTimeout(() => void completeDeletions(index), DELETIONS_MS).unref()
  }
}

function sweep(index: SqlIndex): void {
  void index.sweep(notice).catch((error) => notice(`the objects are not all swept: ${describeError(error)}`))
}

interface Parts {
  readonly file: OwnedFile
  readonly index: SqlIndex
  readonly checkpoints: BackgroundCheckpoint
  readonly look: LookThrough
}

async function close({ file, index, checkpoints, look }: Parts): Promise<void> {
  await index.close()
  await look.close()
  await checkpoints.close()
  file.close()
  port.close()
}

let opened: Opened
try {
  const file = openOwned(options)
  const { driver } = file
  driver.leaveCheckpoints()
  const checkpoints = new BackgroundCheckpoint(driver, options.path, notice)
  const index = new SqlIndex({ driver, disk: nodeDisk, folder: options.folder, limits: DEFAULT_LIMITS })
  await completeDeletions(index)
  const look = new LookThrough(options.path, notice, () => sweep(index))
  port.on('message', (message: Call | 'close') => {
    if (message === 'close') void close({ file, index, checkpoints, look })
    else void answer({ driver, index }, message)
  })
  void indexRuns(driver).catch((error) =>
    notice(`attributes of older runs are not all found yet: ${describeError(error)}`),
  )
  opened = { opened: true }
} catch (error) {
  opened = { opened: false, why: cannotOpen(error, options.path).message }
}
port.postMessage(opened)
