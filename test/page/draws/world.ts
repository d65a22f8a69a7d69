/** A server of a test with a run in it, whose requests are written down, and the engine that asks it. */
import { createApp } from '../../../src/app.ts'
import { MemoryStore } from '../../../src/backends/memory.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import { StoreBackend } from '../../../src/runs/backend.ts'
import { ApiProblem } from '../../../web/src/api/http.ts'
import { Engine, type EngineOptions } from '../../../web/src/draws/engine.ts'
import type { DrawsLink, OpenedRun, ScalarRef } from '../../../web/src/draws/questions.ts'
import type { Send } from '../../../web/src/draws/requests.ts'
import { type Column, drawBatch, runMeta } from '../../http/api.ts'

type Numbers = Float64Array<ArrayBuffer>

/** A column of the run: a value of `shape` a draw, all draws of a chain one after the other. */
export interface TestColumn {
  readonly name: string
  readonly group?: 'draws' | 'stats'
  readonly dtype?: 'float64' | 'int64' | 'bool'
  readonly shape?: readonly number[]
  readonly values: (chain: number, draw: number, element: number) => number
}

/** Bytes of values as the wire has them. */
function bytesOf(dtype: string, values: Numbers): Uint8Array<ArrayBuffer> {
  if (dtype === 'bool') return Uint8Array.from(values)
  if (dtype === 'int64') return new Uint8Array(BigInt64Array.from(values, (value) => BigInt(value)).buffer)
  return new Uint8Array(values.buffer)
}

export class World {
  /** Paths of all requests of the engine, and bytes of their answers. */
  readonly requests: { path: string; bytes: number }[] = []
  /** Does something with an answer, or instead of it. */
  meddle: (answer: Response, path: string) => Response | Promise<Response> = (answer) => answer
  readonly engine: Engine
  registration = ''
  readonly lengths = new Map<number, number>()
  private readonly columns: readonly TestColumn[]
  private readonly app

  constructor(columns: readonly TestColumn[], options: Omit<EngineOptions, 'send'> = {}) {
    this.columns = columns
    const backend = new StoreBackend(new MemoryStore(DEFAULT_LIMITS), DEFAULT_LIMITS)
    this.app = createApp({ openBackend: () => backend })
    this.engine = new Engine({ ...options, send: this.send })
  }

  async call(method: string, path: string, body?: Uint8Array<ArrayBuffer>): Promise<Response> {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/x-protobuf' }
    const init = { method, headers, ...(body !== undefined && { body }) }
    const response = await this.app.fetch(new Request(`http://localhost${path}`, init))
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`)
    return response
  }

  async register(): Promise<void> {
    const message = ({ name, dtype = 'float64', shape = [] }: TestColumn) => ({ name, dtype, shape: [...shape] })
    const of = (group: string) => this.columns.filter((column) => (column.group ?? 'draws') === group).map(message)
    const meta = { rid: 'r', variables: of('draws'), sampleStats: of('stats') }
    const response = await this.call('PUT', '/v1/runs/r', runMeta(meta))
    this.registration = response.headers.get('Mcb-Registration') ?? ''
  }

  /** Appends draws to a chain until it has so many. */
  async sample(chain: number, length: number): Promise<void> {
    const start = this.lengths.get(chain)
    if (start === undefined) await this.call('PUT', `/v1/runs/r/chains/${chain}`)
    const begin = start ?? 0
    const count = length - begin
    const column = ({ name, dtype = 'float64', shape = [], values }: TestColumn): Column => {
      const elements = shape.reduce((n, size) => n * size, 1)
      const all = Float64Array.from({ length: count * elements }, (_, i) =>
        values(chain, begin + Math.floor(i / elements), i % elements),
      )
      return { name, dtype, data: bytesOf(dtype, all) }
    }
    const of = (group: string) => this.columns.filter((each) => (each.group ?? 'draws') === group).map(column)
    const batch = { start: begin, count, draws: of('draws'), stats: of('stats') }
    if (count > 0) await this.call('POST', `/v1/runs/r/chains/${chain}/draws`, drawBatch(batch))
    this.lengths.set(chain, length)
  }

  get opened(): OpenedRun {
    const columns = this.columns.map(({ name, group = 'draws', dtype = 'float64', shape = [] }) => {
      return { name, group, dtype, shape } as const
    })
    return { rid: 'r', registration: this.registration, columns }
  }

  open(): DrawsLink {
    const link = this.engine.open(this.opened)
    link.grow(this.lengths)
    return link
  }

  /** Numbers that the run has of a scalar, as they were made. */
  numbers(name: string, chain: number, element = 0): Numbers {
    const column = this.columns.find((each) => each.name === name)
    return Float64Array.from({ length: this.lengths.get(chain) ?? 0 }, (_, draw) =>
      Number(column?.values(chain, draw, element)),
    )
  }

  private readonly send: Send = async (path, { headers, signal }) => {
    signal?.throwIfAborted()
    const request = new Request(`http://localhost${path}`, { headers: { ...headers } })
    const answer = await this.meddle(await this.app.fetch(request), path)
    signal?.throwIfAborted()
    const bytes = Number(answer.headers.get('Content-Length') ?? 0)
    this.requests.push({ path, bytes })
    if (answer.ok) return answer
    const { code, detail } = Object(await answer.json())
    throw new ApiProblem(answer.status, String(code), String(detail))
  }
}

export const scalar = (name: string, element = 0): ScalarRef => ({ group: 'draws', name, element })

/** Numbers between 0 and 1 that follow from some integers alone. */
export function chance(...integers: readonly number[]): number {
  let state = 0x9e3779b9
  for (const integer of integers) {
    state = Math.imul(state ^ integer, 0x85ebca6b)
    state ^= state >>> 13
    state = Math.imul(state, 0xc2b2ae35)
    state ^= state >>> 16
  }
  return (state >>> 0) / 2 ** 32
}

/** Normal numbers that follow from some integers alone. */
export function normal(...integers: readonly number[]): number {
  const radius = Math.sqrt(-2 * Math.log(1 - chance(...integers, 1)))
  return radius * Math.cos(2 * Math.PI * chance(...integers, 2))
}
