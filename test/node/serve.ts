/** The application on a real socket with bounds of one's own, and clients that write bytes as they like. */
import { connect, type Socket } from 'node:net'
import { createApp } from '../../src/app.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { type Bounds, DEFAULT_BOUNDS } from '../../src/core/limits.ts'
import type { Store } from '../../src/core/store.ts'
import { BodyBudget } from '../../src/http/body-budget.ts'
import { OpenAnswers } from '../../src/http/open-answers.ts'
import { readNodeBody } from '../../src/node/body.ts'
import { type Listening, listen, whenNodeAnswered } from '../../src/node/server.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { type Api, apiOf } from '../http/api.ts'

export interface Served {
  readonly server: Listening
  readonly api: Api
  readonly bodies: BodyBudget
  readonly openAnswers: OpenAnswers
  readonly reports: unknown[]
}

/** @param now the clock by which bodies trickle, in milliseconds */
export async function serve(
  bounds: Partial<Bounds> = {},
  store: Store = new MemoryStore(),
  now: () => number = () => performance.now(),
): Promise<Served> {
  const all = { ...DEFAULT_BOUNDS, ...bounds }
  const backend = new StoreBackend(store)
  const bodies = new BodyBudget({ all: all.bodiesBytes, tenant: all.tenantBodiesBytes }, { now })
  const openAnswers = new OpenAnswers(all)
  const reports: unknown[] = []
  const app = createApp({
    openBackend: () => backend,
    readBody: readNodeBody,
    whenAnswered: whenNodeAnswered,
    bounds: all,
    bodies,
    openAnswers,
    report: (_id, error) => reports.push(error),
  })
  const server = await listen(app, '127.0.0.1', 0, all)
  return { server, api: apiOf((request) => fetch(request), server.url), bodies, openAnswers, reports }
}

/** A client that keeps what it was told, and reads only while it wants to. */
export class Raw {
  readonly socket: Socket
  text = ''
  isClosed = false

  constructor(url: string) {
    const { hostname, port } = new URL(url)
    this.socket = connect(Number(port), hostname)
    this.socket.setEncoding('latin1')
    this.socket.on('data', (chunk: string) => {
      this.text += chunk
    })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.isClosed = true
    })
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(bytes)
    return this
  }

  /** All that the server says until it closes the connection. */
  async whole(): Promise<string> {
    // A reset is an end like another one.
    if (!this.isClosed) await new Promise((resolve) => this.socket.once('close', resolve))
    return this.text
  }

  /** The status lines so far. */
  get statuses(): number[] {
    return [...this.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
  }

  destroy(): void {
    this.socket.destroy()
  }
}
