/** Messages between a Worker and the run objects: the methods of `Store`, with bytes as bytes and errors as data. */
import type { WebSocket } from '@cloudflare/workers-types'
import type { RunDiagnostics } from '../../core/diagnostics/run-diagnostics.ts'
import type {
  AboutChange,
  ChainState,
  Question,
  Read,
  ReadCursor,
  Registration,
  StagedObject,
  StoredAbout,
  StoredRun,
} from '../../core/store.ts'
import type { Circumstances, Examination } from '../../core/summary/examination.ts'
import type { Summary } from '../../core/summary/summary.ts'
import type { Outcome } from '../outcome.ts'
import {
  type PackedRead,
  type PackedSegments,
  packedBytes,
  packObjects,
  packRead,
  unpackObjects,
  unpackRead,
} from '../packing.ts'
import type { SentQuestion } from './object-diagnostics.ts'

/**
 * Bytes that one message may carry; larger pages travel as a stream. The runtime allows 32 MiB.
 * https://developers.cloudflare.com/workers/runtime-apis/rpc/#limitations
 */
export const MESSAGE_BYTES = 24 * 1024 * 1024

/** A page whose buffers lie one after the other in a stream. */
export interface StreamedRead extends Omit<PackedRead, 'buffers'> {
  readonly sizes: readonly number[]
  readonly body: ReadableStream<Uint8Array>
}

/** Objects whose buffers lie one after the other in a stream. */
export interface StreamedObjects extends Omit<PackedSegments, 'buffers'> {
  readonly body: ReadableStream<Uint8Array>
}

export interface Settled {
  readonly isLive: boolean
  /** Absent where the catalogue could not be told. */
  readonly shard?: number | undefined
}

/** A run object as a Worker sees it. The object holds one run; `tenant` and `rid` are always those of its name. */
export interface RunStub {
  register(tenant: string, run: Registration): Promise<Outcome<{ registration: string; created: boolean }>>
  find(tenant: string, rid: string): Promise<Outcome<StoredRun | undefined>>
  remove(tenant: string, rid: string): Promise<Outcome<boolean>>
  about(tenant: string, registration: string): Promise<Outcome<StoredAbout>>
  setAbout(tenant: string, registration: string, change: AboutChange): Promise<Outcome<boolean>>
  setDiagnostics(tenant: string, registration: string, diagnostics: RunDiagnostics): Promise<Outcome<void>>
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
  read(
    tenant: string,
    registration: string,
    chain: number,
    question: Question,
    cursor?: ReadCursor,
  ): Promise<Outcome<PackedRead | StreamedRead>>
  stage(
    tenant: string,
    rid: string,
    path: string,
    body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  ): Promise<Outcome<void>>
  staged(tenant: string, rid: string, paths: readonly string[]): Promise<Outcome<PackedSegments | StreamedObjects>>
  /** A page of `STAGED_PAGE` objects behind the path `after`, from the first one when it is absent. */
  listStaged(tenant: string, rid: string, prefix: string, after?: string): Promise<Outcome<StagedObject[]>>
  unstage(tenant: string, rid: string, paths: readonly string[]): Promise<Outcome<void>>
  unstageAll(tenant: string, rid: string): Promise<Outcome<void>>
  summarise(tenant: string, registration: string, question: SentQuestion, waitMs: number): Promise<Outcome<Summary>>
  check(tenant: string, registration: string, run: Circumstances, waitMs: number): Promise<Outcome<Examination>>
  /** Tells the catalogue of what is here, and its asker whether there is anything, and where it is listed. */
  settle(): Promise<Outcome<Settled>>
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

/** Name of a run's object. No rid has a `/`, so that no two runs share a name. */
export function objectName(tenant: string, rid: string): string {
  return `${tenant}/${rid}`
}

/** Address of an object's watch; the host names nothing. */
export function watchUrl(tenant: string, registration: string): string {
  return `https://run/watch?${new URLSearchParams({ tenant, registration })}`
}

/** A page as it may be sent. */
export function sendRead(read: Read): PackedRead | StreamedRead {
  const packed = packRead(read)
  if (packedBytes(packed) <= MESSAGE_BYTES) return packed
  const { buffers, ...rest } = packed
  return { ...rest, sizes: buffers.map((buffer) => buffer.length), body: streamOf(buffers) }
}

function streamOf(parts: readonly Uint8Array<ArrayBuffer>[]): ReadableStream<Uint8Array> {
  const { body } = new Response(new Blob([...parts]))
  if (body === null) throw new Error('a page of no bytes needs no stream')
  return body
}

export async function receiveRead(sent: PackedRead | StreamedRead): Promise<Read> {
  if (!('body' in sent)) return unpackRead(sent)
  const { sizes, body, ...rest } = sent
  const bytes = await gather(body)
  let offset = 0
  const buffers = sizes.map((size) => {
    offset += size
    return bytes.subarray(offset - size, offset)
  })
  return unpackRead({ ...rest, buffers })
}

/** Objects as they may be sent. */
export function sendObjects(
  objects: readonly (Uint8Array<ArrayBuffer> | undefined)[],
): PackedSegments | StreamedObjects {
  const packed = packObjects(objects)
  return packedBytes(packed) <= MESSAGE_BYTES ? packed : { sizes: packed.sizes, body: streamOf(packed.buffers) }
}

export async function receiveObjects(
  sent: PackedSegments | StreamedObjects,
): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
  return unpackObjects('body' in sent ? { sizes: sent.sizes, buffers: [await gather(sent.body)] } : sent)
}

export async function gather(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** The bytes of a body as a message takes them. */
export function packBody(body: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  if (body.length > MESSAGE_BYTES) return streamOf([body])
  return body.length === body.buffer.byteLength ? body : body.slice()
}
