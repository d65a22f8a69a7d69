/** Watching a run on the server: its chains as they grow, through connections that may break. */

import { type RunDiagnostics, readRunDiagnostics } from '../core/diagnostics/run-diagnostics.ts'
import { McbError } from '../core/errors.ts'
import { parseJson } from '../core/json.ts'
import { EVENT_STREAM } from '../core/media-types.ts'
import { pause } from './clock.ts'
import { readEvents } from './events.ts'
import { asRecord } from './problem.ts'
import type { ApiRequest, Transport } from './transport.ts'

/** A chain has this length now. */
export interface ChainGrowth {
  readonly chain: number
  readonly length: number
}

export interface WatchOptions {
  /** Ends the watch, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Called with the diagnostics of the run, once they are known and whenever they change. An error of it ends the watch. */
  readonly onDiagnostics?: (diagnostics: RunDiagnostics) => void
}

interface Watched {
  /** Path of the events below the server's address. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** Codes of the answer when a watcher connects again, and its run was deleted meanwhile. */
const GONE: ReadonlySet<string> = new Set(['run_not_found', 'run_replaced'])

/**
 * All chains, then each one that has grown, until the run is deleted.
 *
 * @throws McbError `run_not_found`, `run_replaced`; the last failure when the time for retries is over
 */
export async function* watchChains(
  transport: Transport,
  { path, headers }: Watched,
  options: WatchOptions,
): AsyncGenerator<ChainGrowth> {
  const { signal } = options
  const seen: Seen = {
    lengths: new Map(),
    lastId: undefined,
    isDeleted: false,
    attempt: 1,
    deadline: transport.deadline(),
  }
  for (; ; seen.attempt++) {
    const opened = await transport.open(requestOf({ path, headers }, seen.lastId), signal)
    let failure: McbError
    if ('failure' in opened) {
      failure = opened.failure
      if (seen.lastId !== undefined && GONE.has(failure.code)) return
      if (!opened.isTransient) throw failure
    } else {
      failure = yield* growthsIn(opened.value, seen, () => transport.deadline(), { path, ...options })
      if (seen.isDeleted) return
    }
    await pause(transport.pauseAfter(seen.attempt, failure, seen.deadline), signal)
  }
}

/** Events that came behind the last one that was seen. */
function requestOf({ path, headers }: Watched, lastId: string | undefined): ApiRequest {
  const resume = lastId !== undefined && { 'Last-Event-ID': lastId }
  return { method: 'GET', path, headers: { ...headers, ...resume, Accept: EVENT_STREAM } }
}

/** State of a watch, over all its connections. */
interface Seen {
  readonly lengths: Map<number, number>
  lastId: string | undefined
  isDeleted: boolean
  /** Number of connections since the last event, and the time by which one must have told another. */
  attempt: number
  deadline: number
}

/** Growth that one connection tells; at its end, the reason. */
async function* growthsIn(
  stream: ReadableStream<Uint8Array>,
  seen: Seen,
  nextDeadline: () => number,
  { path, signal, onDiagnostics }: WatchOptions & { readonly path: string },
): AsyncGenerator<ChainGrowth, McbError> {
  try {
    for await (const { type, data, id } of readEvents(stream)) {
      seen.attempt = 0
      seen.deadline = nextDeadline()
      seen.isDeleted = type === 'deleted'
      if (seen.isDeleted) break
      seen.lastId = id ?? seen.lastId
      if (type === 'diagnostics') tell(data, onDiagnostics)
      const growth = type === 'message' ? newGrowth(data, seen) : undefined
      if (growth !== undefined) yield growth
    }
    return new McbError('storage_unavailable', `GET ${path} ended`)
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof ListenerFailed) throw error.cause
    if (error instanceof McbError) throw error
    return new McbError('storage_unavailable', `GET ${path} broke off`, {}, { cause: error })
  }
}

function tell(data: string, onDiagnostics: WatchOptions['onDiagnostics']): void {
  const diagnostics = readRunDiagnostics(parseJson(data))
  if (diagnostics === null) return
  try {
    onDiagnostics?.(diagnostics)
  } catch (error) {
    throw new ListenerFailed({ cause: error })
  }
}

/** An error of the caller's own function, which is no fault of the connection. */
class ListenerFailed extends Error {
  constructor(options: { readonly cause: unknown }) {
    super('a listener failed', options)
  }
}

/** Growth that the watcher has not been told of. */
function newGrowth(data: string, { lengths }: Seen): ChainGrowth | undefined {
  const growth = growthIn(data)
  if (growth === undefined || growth.length <= (lengths.get(growth.chain) ?? -1)) return undefined
  lengths.set(growth.chain, growth.length)
  return growth
}

/** Undefined for a comment. */
function growthIn(data: string): ChainGrowth | undefined {
  if (data === '') return undefined
  const { chain, length } = asRecord(JSON.parse(data))
  return typeof chain === 'number' && typeof length === 'number' ? { chain, length } : undefined
}
