/** Watching a run on the server: its chains as they grow, through connections that may break. */
import { McbError } from '../core/errors.ts'
import { pause } from './clock.ts'
import { readEvents } from './events.ts'
import { asRecord } from './problem.ts'
import type { Transport } from './transport.ts'

/** A chain has this length now. */
export interface ChainGrowth {
  readonly chain: number
  readonly length: number
}

export interface WatchOptions {
  /** Ends the watch, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

interface Watched {
  /** Path of the events below the server's address. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** What a watched run that was deleted is answered with, when the watcher connects again. */
const GONE: ReadonlySet<string> = new Set(['run_not_found', 'run_replaced'])

/**
 * All chains, then each one that has grown, until the run is deleted.
 *
 * @throws McbError `run_not_found`, `run_replaced`; the last failure when the time for retries is over
 */
export async function* watchChains(
  transport: Transport,
  { path, headers }: Watched,
  { signal }: WatchOptions,
): AsyncGenerator<ChainGrowth> {
  const lengths = new Map<number, number>()
  let lastId: string | undefined
  let deadline = transport.deadline()
  for (let attempt = 1; ; attempt++) {
    const resume: Record<string, string> = lastId === undefined ? {} : { 'Last-Event-ID': lastId }
    const request = { method: 'GET', path, headers: { ...headers, ...resume, Accept: 'text/event-stream' } } as const
    const opened = await transport.open(request, signal)
    let failure = new McbError('storage_unavailable', `GET ${path} ended`)
    if ('failure' in opened) {
      failure = opened.failure
      if (lastId !== undefined && GONE.has(failure.code)) return
      if (!opened.isTransient) throw failure
    } else {
      try {
        for await (const { type, data, id } of readEvents(opened.value)) {
          attempt = 0
          deadline = transport.deadline()
          if (type === 'deleted') return
          if (id !== undefined) lastId = id
          const growth = type === 'message' ? growthIn(data) : undefined
          if (growth === undefined || growth.length <= (lengths.get(growth.chain) ?? -1)) continue
          lengths.set(growth.chain, growth.length)
          yield growth
        }
      } catch (error) {
        signal?.throwIfAborted()
        if (error instanceof McbError) throw error
        failure = new McbError('storage_unavailable', `GET ${path} broke off`, {}, { cause: error })
      }
    }
    await pause(transport.pauseAfter(attempt, failure, deadline), signal)
  }
}

/** Undefined for a comment. */
function growthIn(data: string): ChainGrowth | undefined {
  if (data === '') return undefined
  const { chain, length } = asRecord(JSON.parse(data))
  return typeof chain === 'number' && typeof length === 'number' ? { chain, length } : undefined
}
