/** The events of one run, over connections that break, and by looks where there are too many streams. */
import { readEvents } from '../../../src/client/events.ts'
import { ApiProblem, getJson, runPath, send } from '../api/http.ts'
import type { HubEvent, WatchedRun } from './protocol.ts'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 10_000
/** Milliseconds between two looks, where a run has no stream of its own. */
const LOOK_MS = 1000
/** Looks for each of which the diagnostics are looked up as well. */
const LOOKS_PER_ABOUT = 5

type Tell = (event: HubEvent) => void

/** Tells what happens until the run is gone, or the signal aborts. */
export async function follow(run: WatchedRun, how: 'stream' | 'looks', tell: Tell, signal: AbortSignal): Promise<void> {
  const round = how === 'stream' ? streamer(run, tell, signal) : looker(run, tell, signal)
  let pause = FIRST_PAUSE_MS
  for (;;) {
    const { outcome, told } = await attempt(round, tell, signal)
    if (outcome === 'over' || signal.aborted) return
    pause = told ? FIRST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, 2 * pause)
    await sleep(Math.max(pause, outcome.retryMs), signal)
  }
}

interface Attempt {
  /** The end, or the milliseconds to wait for at least. */
  readonly outcome: 'over' | { readonly retryMs: number }
  readonly told: boolean
}

async function attempt(round: (begun: () => void) => Promise<'over' | 'again'>, tell: Tell, signal: AbortSignal) {
  let told = false
  const begun = () => {
    told = true
  }
  try {
    const end = await round(begun)
    return { outcome: end === 'over' ? 'over' : { retryMs: 0 }, told } satisfies Attempt
  } catch (error) {
    if (signal.aborted) return { outcome: 'over', told } satisfies Attempt
    if (error instanceof ApiProblem && !error.isPassing) {
      tell(refusalOf(error))
      return { outcome: 'over', told } satisfies Attempt
    }
    tell({ type: 'away' })
    return { outcome: { retryMs: 1000 * retryAfterOf(error) }, told } satisfies Attempt
  }
}

function retryAfterOf(error: unknown): number {
  return error instanceof ApiProblem ? Math.min(60, error.retryAfter ?? 0) : 0
}

function refusalOf({ status, code, message }: ApiProblem): HubEvent {
  if (code === 'run_not_found' || code === 'run_replaced') return { type: 'deleted' }
  return { type: 'refused', status, code, detail: message }
}

/** One connection after the other; each goes on behind the last event that was seen. */
function streamer({ rid, key }: WatchedRun, tell: Tell, signal: AbortSignal) {
  let lastId: string | undefined
  return async (begun: () => void): Promise<'over' | 'again'> => {
    const headers = { Accept: 'text/event-stream', ...(lastId !== undefined && { 'Last-Event-ID': lastId }) }
    const { body } = await send(`${runPath(rid)}/events`, { key, headers, signal })
    if (body === null) return 'again'
    tell({ type: 'connected' })
    begun()
    for await (const { type, data, id } of readEvents(body)) {
      if (type === 'deleted') {
        tell({ type: 'deleted' })
        return 'over'
      }
      lastId = id ?? lastId
      const event = data === '' ? undefined : eventOf(type, data)
      if (event !== undefined) tell(event)
    }
    return 'again'
  }
}

/** Undefined for events of a newer server. */
function eventOf(type: string, data: string): HubEvent | undefined {
  const value: unknown = JSON.parse(data)
  switch (type) {
    case 'message':
      return { type: 'chains', chains: lengthsIn([value]) }
    case 'state':
      return { type: 'chains', chains: lengthsIn(Object(value).chains) }
    case 'diagnostics':
      return { type: 'diagnostics', diagnostics: value }
    case 'counts':
      return { type: 'counts', counts: value }
    default:
      return undefined
  }
}

/** Chains and their lengths, read by hand: a library would double this worker. */
function lengthsIn(list: unknown): { readonly chain: number; readonly length: number }[] {
  if (!Array.isArray(list)) throw new TypeError('an event has no list of chains')
  return list.map((each: unknown) => {
    const { chain, length } = Object(each)
    if (!Number.isSafeInteger(chain) || !Number.isSafeInteger(length)) throw new TypeError('a length is no number')
    return { chain: Number(chain), length: Number(length) }
  })
}

/** Looks at lengths, and now and then at the diagnostics: a browser has six connections for a server, and tabs need some. */
function looker(run: WatchedRun, tell: Tell, signal: AbortSignal) {
  const known = new Map<number, number>()
  return async (begun: () => void): Promise<'over' | 'again'> => {
    for (let look = 0; ; look++) {
      const grown = await grownSince(known, run, signal)
      if (look === 0) tell({ type: 'connected' })
      begun()
      if (grown.length > 0) tell({ type: 'chains', chains: grown })
      if (look % LOOKS_PER_ABOUT === 0) await tellDiagnostics(run, tell, signal)
      await sleep(LOOK_MS, signal)
    }
  }
}

async function grownSince(known: Map<number, number>, { rid, key }: WatchedRun, signal: AbortSignal) {
  const chains = lengthsIn(Object(await getJson(`${runPath(rid)}/chains`, { key, signal })).chains)
  const grown = chains.filter(({ chain, length }) => known.get(chain) !== length)
  for (const { chain, length } of grown) known.set(chain, length)
  return grown
}

async function tellDiagnostics({ rid, key }: WatchedRun, tell: Tell, signal: AbortSignal): Promise<void> {
  const { diagnostics } = Object(await getJson(`${runPath(rid)}/about`, { key, signal }))
  if (Object(diagnostics) === diagnostics) tell({ type: 'diagnostics', diagnostics })
}

/** Rejects with the signal's reason when it aborts. */
function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, milliseconds)
    function done() {
      signal.removeEventListener('abort', stop)
      resolve()
    }
    function stop() {
      clearTimeout(timer)
      reject(signal.reason)
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
