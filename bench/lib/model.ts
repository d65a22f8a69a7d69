/** The runs that the benchmarks write: data as samplers send it, and the bodies for it. */

import { buildSchema, type Schema } from '../../src/core/draws/columns.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { BATCH } from '../../src/core/wire/draw-batch-fields.ts'
import { encodeRunMeta, mcbackend } from '../../src/core/wire/run-meta.ts'
import { encodeSegments } from '../../src/core/wire/write-batch.ts'
import { type Connection, expectStatus, requestHead } from './wire.ts'

type Variable = { name: string; dtype: string; shape: number[] }

export interface Model {
  readonly meta: Uint8Array
  readonly schema: Schema
  /** Bytes of one draw, all columns. */
  readonly drawBytes: number
}

function model(variables: Variable[], sampleStats: Variable[]): Model {
  const schema = buildSchema(variables, sampleStats, DEFAULT_LIMITS)
  const drawBytes = schema.columns.reduce((n, c) => n + (c.kind === 'rigid-numbers' ? c.stride : 0), 0)
  return { meta: encodeRunMeta(new mcbackend.RunMeta({ variables, sampleStats })), schema, drawBytes }
}

const scalar = (name: string, dtype = 'float64'): Variable => ({ name, dtype, shape: [] })

/** Eight schools under NUTS: 2 scalars, a vector of 8, and 6 sampler stats. */
export function eightSchools(): Model {
  const stats = [scalar('lp'), scalar('energy'), scalar('step_size'), scalar('tree_depth', 'int64')]
  const flags = [scalar('diverging', 'bool'), scalar('tune', 'bool')]
  const theta = { name: 'theta', dtype: 'float64', shape: [8] }
  return model([scalar('mu'), scalar('tau'), theta], [...stats, ...flags])
}

export function scalars(count: number): Model {
  return model(
    Array.from({ length: count }, (_, i) => scalar(`x${i}`)),
    [],
  )
}

export function vector(length: number): Model {
  return model([{ name: 'x', dtype: 'float64', shape: [length] }], [])
}

/** A DrawBatch whose `start` can be set in place, so that a load writes no body twice. */
export class Body {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly count: number

  constructor({ schema }: Model, count: number, seed = 1) {
    let state = seed
    const columns = schema.columns.map((spec) => {
      const data = new Uint8Array(spec.kind === 'rigid-numbers' ? spec.stride * count : 0)
      if (spec.dtype === 'float64') {
        const values = new Float64Array(data.buffer)
        for (let i = 0; i < values.length; i++) {
          state = (state * 1103515245 + 12345) % 2147483648
          values[i] = state / 2147483648 - 0.5
        }
      }
      return { spec, data }
    })
    const rest = encodeSegments(0, count, columns)
    this.count = count
    // The field of the start: a varint padded to six bytes has room for any start below 2^42.
    this.bytes = new Uint8Array(7 + rest.length)
    this.bytes[0] = BATCH.start * 8
    this.bytes.set(rest, 7)
    this.startAt(0)
  }

  startAt(start: number): void {
    let value = start
    for (let i = 1; i <= 6; i++) {
      this.bytes[i] = (value % 128) | (i < 6 ? 128 : 0)
      value = Math.floor(value / 128)
    }
  }

  /** As many draws as fit into `bytes`. */
  static ofSize(of: Model, bytes: number): Body {
    const overhead = new Body(of, 1).bytes.length - of.drawBytes
    return new Body(of, Math.max(1, Math.floor((bytes - overhead) / of.drawBytes)))
  }
}

export async function createRun(connection: Connection, rid: string, of: Model, chains: number): Promise<void> {
  const { token } = connection
  await expectStatus(connection.send(requestHead('PUT', `/v1/runs/${rid}`, of.meta.length, token), of.meta), 200, 201)
  for (let chain = 0; chain < chains; chain++) {
    await expectStatus(connection.send(requestHead('PUT', `/v1/runs/${rid}/chains/${chain}`, 0, token)), 200, 201)
  }
}

/** Appends bodies to one chain, in order. */
export class Writer {
  private start: number
  private readonly head: Buffer
  private readonly connection: Connection
  private readonly body: Body

  constructor(connection: Connection, rid: string, chain: number, body: Body, start = 0) {
    this.connection = connection
    this.body = body
    this.start = start
    this.head = requestHead('POST', `/v1/runs/${rid}/chains/${chain}/draws`, body.bytes.length, connection.token)
  }

  async append(): Promise<void> {
    this.body.startAt(this.start)
    await expectStatus(this.connection.send(this.head, this.body.bytes), 200)
    this.start += this.body.count
  }
}
