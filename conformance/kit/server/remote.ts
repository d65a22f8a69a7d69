/** A server behind an address, as a subject: requests by plain `fetch`, each test in a corner of its own that it cleans. */
import { randomBytes } from 'node:crypto'
import { onTestFinished } from 'vitest'
import type { Api, RequestOptions } from '../../../test/http/api.ts'
import { deleteAll } from '../deleting.ts'
import type { Subject } from './subject.ts'

export interface Address {
  readonly url: string
  readonly token?: string | undefined
}

/** Milliseconds in which a server answers. */
const DEADLINE_MS = 30_000

const RUN_PATH = /^\/v1\/runs\/([A-Za-z0-9._~-]{1,100})(?=[/?]|$)/

/** A request with the key, unless its headers have another, or an empty one for none. */
export async function send(
  { url, token }: Address,
  method: string,
  path: string,
  { headers = {}, body }: RequestOptions = {},
): Promise<Response> {
  const all = new Headers(headers)
  if (token !== undefined && !all.has('Authorization')) all.set('Authorization', `Bearer ${token}`)
  if (all.get('Authorization') === '') all.delete('Authorization')
  if (body !== undefined && !('Content-Type' in headers)) all.set('Content-Type', 'application/x-protobuf')
  // Lengths are told of bytes that are not compressed.
  if (!all.has('Accept-Encoding')) all.set('Accept-Encoding', 'identity')
  const signal = AbortSignal.timeout(DEADLINE_MS)
  const init: RequestInit = { method, headers: all, redirect: 'manual', signal }
  if (body !== undefined) init.body = body
  try {
    return await fetch(`${url}${path}`, init)
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    throw new Error(`${method} ${url}${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause: error,
    })
  }
}

/** Runs of one test: their ids begin with a prefix that nobody else has. */
class Corner implements Api {
  private readonly address: Address
  private readonly prefix = `mcb-conform-${randomBytes(6).toString('hex')}-`
  /** Ids that may be registered: those of paths that were written to, and those that the server chose. */
  private readonly used = new Set<string>()
  private readonly chosen = new Set<string>()

  constructor(address: Address) {
    this.address = address
  }

  rid(name: string): string {
    return this.chosen.has(name) || name.startsWith(this.prefix) ? name : `${this.prefix}${name}`
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const name = RUN_PATH.exec(path)?.[1]
    const rid = name === undefined ? undefined : this.rid(name)
    if (method === 'PUT' && rid !== undefined) this.used.add(rid)
    const sent = rid === undefined ? path : path.replace(RUN_PATH, `/v1/runs/${rid}`)
    const response = await send(this.address, method, sent, options)
    const made = method === 'POST' && path === '/v1/runs' ? response.headers.get('Location') : null
    if (made !== null) this.chosen.add(made.slice(made.lastIndexOf('/') + 1))
    return response
  }

  get(path: string, headers: { readonly [name: string]: string } = {}): Promise<Response> {
    return this.request('GET', path, { headers })
  }

  /** Deletes what the test has made. @throws if something would stay */
  async clean(): Promise<void> {
    const paths = [...this.used, ...this.chosen].map((rid) => `/v1/runs/${rid}`)
    await deleteAll(paths, (path) => send(this.address, 'DELETE', path))
  }
}

/** The server as a subject. It may lack what later sections add. */
export function remoteSubject(address: Address, every: number): Subject {
  const open: Subject['open'] = async (ending = onTestFinished) => {
    const corner = new Corner(address)
    ending(() => corner.clean())
    return corner
  }
  return { every, mayLack: true, open }
}
