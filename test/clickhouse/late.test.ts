/**
 * Appends of racing writers over a connection that loses answers, loses inserts, and delivers them late: an
 * acknowledged append is there once, and nothing that arrives afterwards changes it.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import type { Connection, Settings } from '../../src/backends/clickhouse/connection.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import type { Slice } from '../../src/core/draws/slice.ts'
import { McbError } from '../../src/core/errors.ts'
import type { Chain } from '../../src/core/interfaces.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'
import { Counting, Relay } from '../support/relay.ts'

/** Bytes of a page, about. */
const PAGE_BYTES = 4 * 1024 * 1024

type Fate = 'answered' | 'answer lost' | 'lost' | 'late'

/** Does to each insert what the next fate says; `deliver` lets the late ones arrive, in reverse. */
class Unreliable extends Relay {
  fates: Fate[] = []
  private readonly late: (() => Promise<void>)[] = []

  override async insert(sql: string, rows: readonly Uint8Array<ArrayBuffer>[], settings: Settings): Promise<void> {
    const fate = this.fates.shift() ?? 'answered'
    const apply = () => this.inner.insert(sql, rows, settings)
    if (fate === 'late') this.late.push(apply)
    if (fate === 'answered' || fate === 'answer lost') await apply()
    if (fate !== 'answered') throw new Error(`the insert is ${fate}`)
  }

  async deliver(): Promise<void> {
    for (let apply = this.late.pop(); apply !== undefined; apply = this.late.pop()) await apply()
  }
}

let database: TestDatabase
let inner: Connection

beforeAll(async () => {
  database = await openDatabase()
  inner = new NodeConnection(database.options)
}, 300_000)

afterAll(async () => {
  await inner?.close()
  await database?.close()
})

const batchOf = (start: number, count: number, mark: number) => {
  const data = Float64Array.from({ length: count }, (_, i) => mark * 1000 + start + i)
  return { start, count, draws: new Map([['x', { dtype: 'float64', shape: [count], data } as const]]) }
}

async function valuesOf(chain: Chain, slice: Slice = {}): Promise<number[]> {
  const draws = await chain.getDraws('x', slice)
  if (!('data' in draws) || draws.dtype !== 'float64') throw new Error('"x" is an array of float64')
  return [...draws.data]
}

const fate = fc.constantFrom<Fate>('answered', 'answered', 'answer lost', 'lost', 'late')
const step = fc.record({
  counts: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
  fates: fc.tuple(fate, fate),
  delivers: fc.boolean(),
})

test('what was acknowledged stays, whatever arrives when', async () => {
  let runs = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
      const connections = [new Unreliable(inner), new Unreliable(inner)] as const
      const [one, two] = connections.map((connection) => new StoreBackend(new ClickHouseStore(connection, 'late')))
      const run = await one?.initRun({ rid: `late-${++runs}`, variables: [{ name: 'x', dtype: 'float64' }] })
      const chain = await run?.initChain(0)
      const other = await (await two?.getRun(`late-${runs}`))?.getChain(0)
      if (chain === undefined || other === undefined) throw new Error('both see the chain')
      let seen: number[] = []
      for (const [round, { counts, fates, delivers }] of steps.entries()) {
        const length = await chain.length()
        const outcomes = await Promise.allSettled(
          [chain, other].map((writer, w) => {
            const connection = connections[w]
            if (connection !== undefined) connection.fates = [fates[w] ?? 'answered']
            return writer.appendBatch(batchOf(length, counts[w] ?? 1, 2 * round + w))
          }),
        )
        for (const connection of connections) if (delivers) await connection.deliver()
        const values = await valuesOf(other)
        // The values of the read before are read again, and an acknowledged batch follows them.
        expect(values.slice(0, seen.length)).toEqual(seen)
        for (const [w, outcome] of outcomes.entries()) {
          const { data } = batchOf(length, counts[w] ?? 1, 2 * round + w).draws.get('x') ?? { data: [] }
          if (outcome.status === 'fulfilled') expect(values.slice(length, outcome.value)).toEqual([...data])
          else expect(['storage_unavailable', 'draw_conflict']).toContain(codeOf(outcome.reason))
        }
        expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1)
        seen = values
      }
      for (const connection of connections) await connection.deliver()
      const last = await valuesOf(chain)
      expect(last.slice(0, seen.length)).toEqual(seen)
      expect(await other.length()).toBe(last.length)
      for (const reader of [chain, other]) await expectSlices(reader, last)
    }),
    { numRuns: 4 },
  )
}, 300_000)

/** Also where attempts that failed lie before the draws that are asked for, and were longer than those that did not. */
async function expectSlices(chain: Chain, values: readonly number[]): Promise<void> {
  for (const at of values.keys()) {
    expect(await valuesOf(chain, { start: at })).toEqual(values.slice(at))
    expect(await valuesOf(chain, { start: at, step: -1 })).toEqual(values.slice(0, at + 1).reverse())
    expect(await valuesOf(chain, { start: at, stop: at + 1 })).toEqual([values[at]])
  }
}

test('an attempt that came too late, and is longer, does not hide the append behind the one that holds', async () => {
  const late = new Unreliable(inner)
  const [one, two] = [late, inner].map((connection) => new StoreBackend(new ClickHouseStore(connection, 'late')))
  const chain = await (await one?.initRun({ rid: 'long', variables: [{ name: 'x', dtype: 'float64' }] }))?.initChain(0)
  const other = await (await two?.getRun('long'))?.getChain(0)
  if (chain === undefined || other === undefined) throw new Error('both see the chain')
  late.fates = ['late']
  await expect(chain.appendBatch(batchOf(0, 3, 1))).rejects.toMatchObject({ code: 'storage_unavailable' })
  for (let start = 0; start < 4; start++) await other.appendBatch(batchOf(start, 1, 2))
  await late.deliver()
  for (const reader of [chain, other]) {
    await expectSlices(reader, [2000, 2001, 2002, 2003])
    expect(await valuesOf(reader, { start: 2, stop: 3 })).toEqual([2002])
  }
})

test('a page of strings is bounded also where an attempt that failed reaches over many', async () => {
  const late = new Unreliable(inner)
  const counting = new Counting(inner)
  const [one, two] = [late, counting].map((connection) => new StoreBackend(new ClickHouseStore(connection, 'late')))
  const chain = await (await one?.initRun({ rid: 'strings', variables: [{ name: 's', dtype: 'str' }] }))?.initChain(0)
  const other = await (await two?.getRun('strings'))?.getChain(0)
  if (chain === undefined || other === undefined) throw new Error('both see the chain')
  const batch = (start: number, data: string[]) => ({
    start,
    count: data.length,
    draws: new Map([['s', { dtype: 'str', shape: [data.length], data } as const]]),
  })
  late.fates = ['late']
  await expect(chain.appendBatch(batch(0, new Array<string>(3000).fill('')))).rejects.toMatchObject({
    code: 'storage_unavailable',
  })
  const texts = [0, 1, 2, 3].map((i) => String(i).repeat(PAGE_BYTES + 1000))
  for (const [i, text] of texts.entries()) await other.appendBatch(batch(i, [text]))
  await late.deliver()
  for (const step of [1, -1]) {
    counting.largest = 0
    const draws = await other.getDraws('s', { step })
    expect(draws).toMatchObject({ data: step === 1 ? texts : texts.toReversed() })
    expect(counting.largest).toBeLessThan(1.5 * PAGE_BYTES)
  }
})

function codeOf(error: unknown): string {
  return error instanceof McbError ? error.code : String(error)
}
