/** A real server in this process, and a network in front of it that fails as networks do. */
import { createApp } from '../../src/app.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { Fetch } from '../../src/client/index.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/core/limits.ts'
import { StoreBackend, type StoreChain } from '../../src/runs/backend.ts'

export const URL_OF_APP = 'http://app.test'

export interface TestServer {
  readonly fetch: Fetch
  /** The storage, seen without HTTP. */
  readonly backend: StoreBackend
}

export function startApp(limits: Limits = DEFAULT_LIMITS): TestServer {
  const backend = new StoreBackend(new MemoryStore(limits), limits)
  const app = createApp({ openBackend: () => backend, limits })
  return { fetch: (request) => app.fetch(request), backend }
}

/** The same server as one of a release that knows no elements: it takes no notice of the parameter. */
export function withoutElements(fetch: Fetch): Fetch {
  return async (request) => {
    const url = new URL(request.url)
    url.searchParams.delete('elem')
    return fetch(new Request(url, request))
  }
}

/** The chain as it is stored. */
export async function storedChain({ backend }: TestServer, rid: string, number = 0): Promise<StoreChain> {
  const chain = await (await backend.getRun(rid))?.getChain(number)
  if (chain === undefined) throw new Error(`there is no chain ${number} of run ${rid}`)
  return chain
}

/**
 * The fate of one exchange.
 *
 * - `refused`: it does not reach the server
 * - `lost`: the server does it, the answer does not arrive
 * - `cut`: the answer arrives without its second half, as if it were whole
 * - `broken`: the connection breaks in the middle of the answer
 * - `unavailable`, `busy`, `gateway`: answered with 503, 429, 502 by something before the server
 * - `silent`: it does not reach the server, and nothing ever answers
 * - `late`: nothing answers, and it reaches the server when the client has given up
 * - `twice`: the network delivers it twice
 */
export const FAULTS = [
  'refused',
  'lost',
  'cut',
  'broken',
  'unavailable',
  'busy',
  'gateway',
  'silent',
  'late',
  'twice',
] as const
export type Fault = (typeof FAULTS)[number]

export interface FaultyNetwork {
  readonly fetch: Fetch
  /** Method, path and body size of every request that was sent. */
  readonly sent: { readonly method: string; readonly path: string; readonly bytes: number }[]
  /** Resolves when the late ones have arrived too. */
  settled(): Promise<void>
}

const LATE = 40

/** Plays `next()` on each request; undefined lets it pass. */
export function faultyNetwork(server: Fetch, next: (request: Request) => Fault | undefined): FaultyNetwork {
  const sent: { method: string; path: string; bytes: number }[] = []
  const late: Promise<unknown>[] = []
  const fetch: Fetch = async (request) => {
    const { method } = request
    const { pathname, search } = new URL(request.url)
    sent.push({ method, path: pathname + search, bytes: (await request.clone().arrayBuffer()).byteLength })
    const fault = next(request)
    if (fault === 'late') late.push(deliverLate(server, request.clone()))
    return fault === undefined ? server(request) : disturbed(server, request, fault)
  }
  const settled = async () => {
    await Promise.all(late)
  }
  return { fetch, sent, settled }
}

async function disturbed(server: Fetch, request: Request, fault: Fault): Promise<Response> {
  switch (fault) {
    case 'refused':
      throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })
    case 'lost':
      await server(request)
      throw new TypeError('fetch failed', { cause: new Error('read ECONNRESET') })
    case 'cut':
      return shortened(await server(request), false)
    case 'broken':
      return shortened(await server(request), true)
    case 'unavailable':
      return new Response('down for a moment', { status: 503, headers: { 'Retry-After': '0' } })
    case 'busy':
      return new Response(null, { status: 429 })
    case 'gateway':
      return new Response('<h1>Bad gateway</h1>', { status: 502, headers: { 'Content-Type': 'text/html' } })
    case 'silent':
    case 'late':
      return new Promise<never>(() => undefined)
    case 'twice':
      await server(request.clone())
      return server(request)
  }
}

async function deliverLate(server: Fetch, request: Request): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, LATE))
  // The client has aborted its request; bytes on their way arrive all the same.
  const { url, method, headers } = request
  const body = await request.arrayBuffer()
  await server(new Request(url, { method, headers, ...(body.byteLength > 0 ? { body } : {}) }))
}

async function shortened(answer: Response, isBroken: boolean): Promise<Response> {
  const bytes = new Uint8Array(await answer.arrayBuffer())
  if (bytes.length === 0) throw new TypeError('fetch failed', { cause: new Error('other side closed') })
  const headers = new Headers(answer.headers)
  headers.delete('Content-Length')
  const half = bytes.subarray(0, Math.floor(bytes.length / 2))
  return new Response(isBroken ? brokenStream(half) : half, { status: answer.status, headers })
}

function brokenStream(bytes: Uint8Array<ArrayBuffer>): ReadableStream {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes)
    },
    pull(controller) {
      controller.error(new TypeError('terminated'))
    },
  })
}

/** Pauses of no length, so that tests do not wait. */
export const EAGER = { base: 0, cap: 0 } as const

export function pauseFor(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
