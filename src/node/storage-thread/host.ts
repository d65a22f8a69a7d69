/** The thread that owns the SQLite file: it answers calls to the stores of all tenants, and to the control store. */
import { parentPort, workerData } from 'node:worker_threads'
import { SqlControl } from '../../access/sql/sql-control.ts'
import { toFailure } from '../../backends/outcome.ts'
import { packObjects, packRead } from '../../backends/packing.ts'
import { indexRuns, purgeHidden, SqliteStore } from '../../backends/sqlite/sqlite-store.ts'
import { McbError } from '../../core/errors.ts'
import { free } from '../../core/free.ts'
import { DEFAULT_LIMITS } from '../../core/limits.ts'
import { describeError } from '../../core/log-text.ts'
import type { Store } from '../../core/store.ts'
import { cannotOpen } from '../../sql/cannot-open.ts'
import type { FileDriver } from '../../sql/file.ts'
import { type OwnedFile, openOwned } from '../owned-database.ts'
import { Tally } from '../tally.ts'
import { BackgroundCheckpoint } from './checkpoint.ts'
import type { Call, HostOptions, Noticed, Opened, Reply } from './protocol.ts'

if (parentPort === null) throw new Error('this module runs in a worker thread')
const port = parentPort
const options: HostOptions = workerData
const tally = options.counts && new Tally(options.counts)
const stores = new Map<string, Store>()

function storeOf(driver: FileDriver, tenant: string): Store {
  let store = stores.get(tenant)
  if (store === undefined) {
    store = new SqliteStore(driver, tenant, DEFAULT_LIMITS, { observer: tally })
    stores.set(tenant, store)
  }
  return store
}

/** Milliseconds before a deletion that was cut off is tried again. */
const DELETIONS_MS = 60_000

/** Buffers of an answer that are worth handing over instead of copying. */
const TRANSFER_BYTES = 16 * 1024

/** Carries a call out and resolves to its result; buffers of it that are handed over are added to `transfer`. */
async function carryOut(driver: FileDriver, call: Call, transfer: ArrayBuffer[]): Promise<unknown> {
  if ('reusable' in call) return driver.reusableBytes()
  if ('control' in call) {
    const control = new SqlControl(driver)
    return Reflect.apply(control[call.control], control, call.args)
  }
  const store = storeOf(driver, call.tenant)
  const value = await Reflect.apply(store[call.method], store, call.args)
  if (call.method !== 'read' && call.method !== 'staged') return value
  const packed = call.method === 'read' ? packRead(value) : packObjects(value)
  for (const { buffer } of packed.buffers) if (buffer.byteLength >= TRANSFER_BYTES) transfer.push(buffer)
  return packed
}

async function answer(driver: FileDriver, call: Call): Promise<void> {
  const { id } = call
  const body =
    'method' in call && (call.method === 'append' || call.method === 'stage') ? call.args.find(isBytes) : undefined
  let returned: Uint8Array<ArrayBuffer> | undefined
  let reply: Reply
  const transfer: ArrayBuffer[] = []
  try {
    reply = { id, value: await carryOut(driver, call, transfer) }
  } catch (error) {
    const failure = toFailure(error)
    if (failure.code === 'run_not_found') returned = body
    reply = { id, failure, ...(returned && { returned }) }
  }
  if (body !== undefined && returned === undefined) free(body)
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
async function completeDeletions(driver: FileDriver): Promise<void> {
  try {
    await purgeHidden(driver)
  } catch (error) {
    if (!(error instanceof McbError)) throw error
    setTimeout(() => void completeDeletions(driver), DELETIONS_MS).unref()
  }
}

async function close(file: OwnedFile, checkpoints: BackgroundCheckpoint): Promise<void> {
  await checkpoints.close()
  file.close()
  port.close()
}

let opened: Opened
try {
  const file = openOwned(options)
  const { driver } = file
  driver.leaveCheckpoints()
  if (tally !== undefined) driver.onTimed = (seconds) => tally.committed(seconds)
  const checkpoints = new BackgroundCheckpoint(driver, options.path, notice)
  await completeDeletions(driver)
  port.on('message', (message: Call | 'close') => {
    if (message === 'close') void close(file, checkpoints)
    else void answer(driver, message)
  })
  void indexRuns(driver).catch((error) =>
    notice(`attributes of older runs are not all found yet: ${describeError(error)}`),
  )
  opened = { opened: true }
} catch (error) {
  opened = { opened: false, why: cannotOpen(error, options.path).message }
}
port.postMessage(opened)
