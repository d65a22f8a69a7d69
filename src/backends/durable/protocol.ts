/** What passes between a Worker and the run objects: the methods of `Store`, with bytes as bytes and errors as data. */
import type { WebSocket } from '@cloudflare/workers-types'
import type { Block } from '../../core/draws/segment.ts'
import type { ChainState, Registration, ScanCursor, ScanPage, ScanRequest, StoredRun } from '../../core/store.ts'
import type { Outcome } from '../outcome.ts'

/**
 * Bytes that one message may carry; what is larger travels as a stream. The runtime allows 32 MiB.
 * https://developers.cloudflare.com/workers/runtime-apis/rpc/#limitations
 */
export const MESSAGE_BYTES = 24 * 1024 * 1024

/** A page whose bytes lie one after the other in a stream; each block says how many are its own. */
export interface StreamedPage {
  readonly parts: readonly {
    readonly position: number
    readonly blocks: readonly { readonly start: number; readonly count: number; readonly bytes: number | null }[]
  }[]
  readonly next?: ScanCursor
  readonly body: ReadableStream<Uint8Array>
}

/** A run object as a Worker sees it. The object holds one run; `tenant` and `rid` are always those of its name. */
export interface RunStub {
  register(tenant: string, run: Registration): Promise<Outcome<{ registration: string; created: boolean }>>
  find(tenant: string, rid: string): Promise<Outcome<StoredRun | undefined>>
  remove(tenant: string, rid: string): Promise<Outcome<boolean>>
  createChain(
    tenant: string,
    registration: string,
    chain: number,
  ): Promise<Outcome<ChainState & { readonly created: boolean }>>
  chains(tenant: string, registration: string): Promise<Outcome<ChainState[]>>
  chain(tenant: string, registration: string, chain: number): Promise<Outcome<ChainState | undefined>>
  append(
    tenant: string,
    registration: string,
    chain: number,
    body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  ): Promise<Outcome<number>>
  scan(
    tenant: string,
    registration: string,
    chain: number,
    request: ScanRequest,
  ): Promise<Outcome<ScanPage | StreamedPage>>
  /** Opens a WebSocket at a `watchUrl`; 404 when the run is not there. */
  fetch(
    url: string,
    init: { readonly headers: Readonly<Record<string, string>> },
  ): Promise<{ readonly status: number; readonly webSocket: WebSocket | null }>
}

/** The binding of the run objects. */
export interface RunNamespace {
  getByName(name: string): RunStub
}

/** A `/` is in no rid, so that no two runs share a name. */
export function objectName(tenant: string, rid: string): string {
  return `${tenant}/${rid}`
}

/** Where an object offers its watch; the host names nothing. */
export function watchUrl(tenant: string, registration: string): string {
  return `https://run/watch?${new URLSearchParams({ tenant, registration })}`
}

/** A page as it may be sent: no bytes but those asked for, since a view would take its whole buffer along. */
export function packPage(page: ScanPage): ScanPage | StreamedPage {
  const blocks = page.parts.flatMap((part) => part.blocks)
  const size = blocks.reduce((n, { data }) => n + (data?.length ?? 0), 0)
  if (size <= MESSAGE_BYTES) {
    const parts = page.parts.map(({ position, blocks: own }) => ({ position, blocks: own.map(withoutNeighbours) }))
    return { ...page, parts }
  }
  const parts = page.parts.map(({ position, blocks: own }) => ({
    position,
    blocks: own.map(({ start, count, data }) => ({ start, count, bytes: data?.length ?? null })),
  }))
  return { ...page, parts, body: streamOf(blocks.flatMap(({ data }) => data ?? [])) }
}

function withoutNeighbours(block: Block): Block {
  const { data } = block
  return data === null || data.length === data.buffer.byteLength ? block : { ...block, data: data.slice() }
}

function streamOf(parts: readonly Uint8Array<ArrayBuffer>[]): ReadableStream<Uint8Array> {
  const { body } = new Response(new Blob([...parts]))
  if (body === null) throw new Error('a page of no bytes needs no stream')
  return body
}

export async function unpackPage(page: ScanPage | StreamedPage): Promise<ScanPage> {
  if (!('body' in page)) return page
  const bytes = await gather(page.body)
  let offset = 0
  const take = (length: number) => {
    offset += length
    return bytes.subarray(offset - length, offset)
  }
  const parts = page.parts.map(({ position, blocks }) => ({
    position,
    blocks: blocks.map(({ start, count, bytes: length }) => ({
      start,
      count,
      data: length === null ? null : take(length),
    })),
  }))
  return page.next === undefined ? { parts } : { parts, next: page.next }
}

export async function gather(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** The bytes of a body as a message takes them. */
export function packBody(body: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  if (body.length > MESSAGE_BYTES) return streamOf([body])
  return body.length === body.buffer.byteLength ? body : body.slice()
}
