/** The questions of docs/sql.md, asked of the store's own rows, against the same statistics computed here. */
import { readFileSync } from 'node:fs'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import fc from 'fast-check'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ClickHouseStore } from '../../src/backends/clickhouse/clickhouse-store.ts'
import { NodeConnection } from '../../src/backends/clickhouse/node-connection.ts'
import type { Draws } from '../../src/core/interfaces.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'
import { testUnless } from '../support/skip.ts'
import { diverges, isWarmup, lengthsOf, RUNS, reference, sampled, type Variable, WARMUP, write } from './sql-runs.ts'
import { autocorrelation, batchMeans, mean, quantile, splitRhat, sum, variance } from './statistics.ts'

const TENANT = "it's"

/** SQL by the number of its question. */
const QUESTIONS = new Map(
  [
    ...readFileSync(new URL('../../docs/sql.md', import.meta.url), 'utf8').matchAll(
      /^## (\d+)\..*?^```sql\n(.*?)^```/gms,
    ),
  ].map(([, number, sql]) => [Number(number), sql ?? ''] as const),
)

const Row = v.record(v.string(), v.union([v.number(), v.string(), v.boolean(), v.array(v.unknown())]))
type Row = v.InferOutput<typeof Row>

let database: TestDatabase
let connection: NodeConnection
let client: ClickHouseClient
let begun: Date

async function rowsOf(query: string, params: Readonly<Record<string, string>> = {}): Promise<Row[]> {
  const answer = await client.query({ query, format: 'JSONEachRow', query_params: { tenant: TENANT, ...params } })
  return v.parse(v.array(Row), await answer.json())
}

function ask(question: number, params: Readonly<Record<string, string>> = {}): Promise<Row[]> {
  const sql = QUESTIONS.get(question)
  if (sql === undefined) throw new Error(`docs/sql.md has no question ${question}`)
  return rowsOf(sql, params)
}

/** Equal to 9 digits: the engine's threads add in any order. */
function expectRows(rows: readonly Row[], expected: readonly Row[]): void {
  const digits = (value: number) => 9 - Math.ceil(Math.log10(Math.max(1, Math.abs(value))))
  const comparable = (value: unknown) => (typeof value === 'number' ? expect.closeTo(value, digits(value)) : value)
  const wanted = expected.map((row) => Object.fromEntries(Object.entries(row).map(([k, x]) => [k, comparable(x)])))
  expect(wanted.length).toBeGreaterThan(0)
  expect(rows).toEqual(wanted)
}

/** One row an element of a run's variables, in the order of the answers. */
function perElement(run: string, of: (variable: Variable, index: number) => Row): Row[] {
  const variables = [...(RUNS[run] ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1))
  return variables.flatMap((variable) =>
    Array.from({ length: variable.width }, (_, index) => ({ variable: variable.name, index, ...of(variable, index) })),
  )
}

function variableOf(run: string, name: string): Variable {
  const found = RUNS[run]?.find((variable) => variable.name === name)
  if (found === undefined) throw new Error(`run ${run} has no ${name}`)
  return found
}

beforeAll(async () => {
  database = await openDatabase()
  const { url, user, password, database: name } = database.options
  const access = { ...(user !== undefined && { username: user }), ...(password !== undefined && { password }) }
  client = createClient({ url, ...access, ...(name !== undefined && { database: name }) })
  connection = new NodeConnection(database.options)
  begun = new Date()
  if (reference === undefined) return
  const backend = new StoreBackend(new ClickHouseStore(connection, TENANT))
  for (const [rid, variables] of Object.entries(RUNS)) await write(backend, rid, variables)
  await write(new StoreBackend(new ClickHouseStore(connection, 'other')), 'again', RUNS.again ?? [])
  // Attempts that came too late, and what a run leaves that was deleted.
  const copy = 'INSERT INTO chunks SELECT * REPLACE'
  await connection.command(
    `${copy} (bitXor(attempt, 1) AS attempt, arrayMap(x -> x + 1, float64) AS float64) FROM chunks`,
    {},
  )
  await connection.command(`${copy} (concat('gone-', registration) AS registration) FROM chunks`, {})
}, 300_000)

afterAll(async () => {
  await client?.close()
  await connection?.close()
  await database?.close()
})

describe('docs/sql.md', () => {
  const test = testUnless(reference === undefined ? '../shared/data/posteriordb is absent' : undefined)
  const run = 'eight-schools'

  test('has ten questions', () => {
    expect([...QUESTIONS.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  test('1: means and quantiles', async () => {
    const expected = perElement(run, (variable, index) => {
      const values = sampled(variable, index).flat()
      const [q5 = 0, median = 0, q95 = 0] = [0.05, 0.5, 0.95].map((level) => quantile(values, level))
      return { mean: mean(values), sd: Math.sqrt(variance(values)), q5, median, q95 }
    })
    expectRows(await ask(1, { run }), expected)
  })

  test('2: R-hat', async () => {
    const expected = perElement(run, (variable, index) => ({ rhat: splitRhat(sampled(variable, index)) }))
    expectRows(await ask(2, { run }), expected)
  })

  test('3: divergences', async () => {
    const expected = lengthsOf(run).map((length, chain) => {
      const draws = Array.from({ length }, (_, draw) => draw).filter((draw) => !isWarmup(draw))
      const divergences = draws.filter((draw) => diverges(chain, draw)).length
      return { chain, divergences, share: divergences / draws.length }
    })
    expectRows(await ask(3, { run }), expected)
  })

  test('4: two runs', async () => {
    const expected = perElement(run, (variable, index) => {
      const one = sampled(variable, index).flat()
      const two = sampled(variableOf('again', variable.name), index).flat()
      const shift = (mean(one) - mean(two)) / Math.sqrt((variance(one) + variance(two)) / 2)
      return { mean: mean(one), other_mean: mean(two), shift }
    })
    expectRows(await ask(4, { run, other: 'again' }), expected)
  })

  test('5: draws an hour', async () => {
    const rows = await ask(5)
    const hour = 3_600_000
    for (const row of rows) {
      const time = Date.parse(`${row.hour}Z`)
      expect(time % hour).toBe(0)
      expect(time).toBeGreaterThan(begun.getTime() - hour)
      expect(time).toBeLessThanOrEqual(Date.now())
    }
    const totals = Object.keys(RUNS).map((name) =>
      sum(rows.filter((row) => row.run === name).map((row) => Number(row.draws))),
    )
    expect(totals).toEqual(Object.keys(RUNS).map((name) => sum(lengthsOf(name))))
  })

  test('6: autocorrelation', async () => {
    const expected = sampled(variableOf(run, 'tau'), 0).flatMap((values, chain) =>
      [1, 2, 5, 10].map((lag) => ({ chain, lag, autocorrelation: autocorrelation(values, lag) })),
    )
    expectRows(await ask(6, { run, variable: 'tau' }), expected)
  })

  test('7: Monte Carlo standard error', async () => {
    expectRows(
      (await ask(7, { run })).map(({ ess, ...row }) => ({ ...row, ess: Number(ess) })),
      perElement(run, (variable, index) => batchMeans(sampled(variable, index), 50)),
    )
  })

  test('8: the largest runs', async () => {
    const expected = Object.entries(RUNS).map(([name, { length: variables }]) => ({
      run: name,
      variables,
      sample_stats: 2,
      chains: lengthsOf(name).length,
      draws: sum(lengthsOf(name)),
    }))
    expectRows(
      await ask(8),
      expected.sort((a, b) => b.draws - a.draws || (a.run < b.run ? -1 : 1)),
    )
  })

  test('9: lengths and warmup', async () => {
    const { chains } = variableOf(run, 'mu')
    const expected = chains.map((values, chain) => ({
      chain,
      length: values.length,
      warmup: WARMUP,
      warmup_mean: mean(values.slice(0, WARMUP)),
      mean: mean(values.slice(WARMUP)),
    }))
    expectRows(await ask(9, { run, variable: 'mu' }), expected)
  })

  test('10: what has not converged', async () => {
    const expected = Object.keys(RUNS).map((name) => {
      const rhats = perElement(name, (variable, index) => ({ rhat: splitRhat(sampled(variable, index)) }))
      const worst = Math.max(...rhats.map(({ rhat }) => Number(rhat)))
      const place = rhats.find(({ rhat }) => rhat === worst)
      return { run: name, worst, place: [place?.variable, place?.index] }
    })
    const rows = await ask(10)
    expect(rows).toEqual(
      expected.sort((a, b) => b.worst - a.worst).map((row) => ({ ...row, worst: expect.closeTo(row.worst, 9) })),
    )
    expect(rows[0]?.worst).toBeGreaterThan(1.01)
  })
})

test('a row is one number, whatever its dtype and shape', async () => {
  const backend = new StoreBackend(new ClickHouseStore(connection, TENANT))
  const variables = [
    { name: 'matrix', dtype: 'int16', shape: [2, 2] },
    { name: 'flag', dtype: 'bool' },
    { name: 'word', dtype: 'str' },
    { name: 'ragged', dtype: 'float32', shape: [-1] },
  ]
  const chain = await (await backend.initRun({ rid: 'shapes', variables })).initChain(3)
  const ragged = [[], [0.5, 2], [7]].map((values) => {
    return { dtype: 'float32', shape: [values.length], data: Float32Array.from(values) } as const
  })
  const draws = new Map<string, Draws>([
    ['matrix', { dtype: 'int16', shape: [3, 2, 2], data: Int16Array.from({ length: 12 }, (_, i) => -i) }],
    ['flag', { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) }],
    ['word', { dtype: 'str', shape: [3], data: ['a', 'b', 'c'] }],
    ['ragged', ragged],
  ])
  await chain.appendBatch({ count: 3, draws })
  const of = 'WHERE tenant = {tenant:String} AND run = {run:String}'
  const sql = `SELECT chain, variable, draw, index, value, is_warmup FROM draws ${of} ORDER BY variable, draw, index`
  const number = (variable: string, draw: number, index: number, value: number) => {
    return { chain: 3, variable, draw, index, value, is_warmup: false }
  }
  const expected = [
    ...[1, 0, 1].map((value, draw) => number('flag', draw, 0, value)),
    ...Array.from({ length: 12 }, (_, i) => number('matrix', Math.floor(i / 4), i % 4, i === 0 ? 0 : -i)),
    ...ragged.flatMap(({ data }, draw) => [...data].map((value, index) => number('ragged', draw, index, value))),
  ]
  expectRows(await rowsOf(sql, { run: 'shapes' }), expected)
  await backend.deleteRun('shapes')
  expect(await rowsOf(sql, { run: 'shapes' })).toEqual([])
})

test('warmup is the prefix of a chain for which its flag holds, whoever writes and in whatever batches', async () => {
  const newBackend = () => new StoreBackend(new ClickHouseStore(connection, TENANT))
  const sampleStats = ['sampler_0__tune', 'is_warmup', 'tune'].map((name) => ({ name, dtype: 'bool' }))
  const batch = fc.record({ writer: fc.nat({ max: 1 }), flags: fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }) })
  const sent = fc.record({ warm: fc.nat({ max: 3 }), rest: fc.array(batch, { maxLength: 4 }) })
  let runs = 0
  await fc.assert(
    fc.asyncProperty(sent, async ({ warm, rest }) => {
      const rid = `warmup-${++runs}`
      const variables = [{ name: 'x', dtype: 'float64' }]
      const here = await (await newBackend().initRun({ rid, variables, sampleStats })).initChain(0)
      const there = await (await newBackend().getRun(rid))?.getChain(0)
      const flags: boolean[] = []
      const begun = Array.from({ length: warm }, () => ({ writer: 0, flags: [true, true] }))
      for (const { writer, flags: own } of [...begun, ...rest]) {
        const count = own.length
        const x = { dtype: 'float64', shape: [count], data: new Float64Array(count) } as const
        const tune = { dtype: 'bool', shape: [count], data: Uint8Array.from(own, Number) } as const
        // Flags of other names do not count.
        const other = { dtype: 'bool', shape: [count], data: Uint8Array.from(own, (flag) => (flag ? 0 : 1)) } as const
        const stats = new Map([
          ['tune', tune],
          ['is_warmup', other],
          ['sampler_0__tune', other],
        ] as const)
        await (writer === 0 ? here : there)?.appendBatch({
          start: flags.length,
          count,
          draws: new Map([['x', x]]),
          stats,
        })
        flags.push(...own)
      }
      const prefix = flags.includes(false) ? flags.indexOf(false) : flags.length
      const sql = `SELECT is_warmup FROM draws
        WHERE tenant = {tenant:String} AND run = {run:String} AND variable = 'x' ORDER BY draw`
      const rows = await rowsOf(sql, { run: rid })
      expect(rows.map((row) => row.is_warmup)).toEqual(flags.map((_, draw) => draw < prefix))
    }),
    { numRuns: 12 },
  )
}, 300_000)

test('what versions before have written of warmup is read as the prefix of a chain', async () => {
  await connection.command("INSERT INTO runs (tenant, rid, registration) VALUES ('old', 'r', 'r-1')", {})
  // Three appends of two draws to each chain, with the warmup draws that a stat named in them; every row repeats these.
  const chains = [
    ['[0]', '[2]', '[4]'],
    ['[0]', '[2, 3]', '[4]'],
    ['[0]', '[]', '[4]'],
    ['[1]', '[2]', '[]'],
    ['[0, 1]', '[2]', '[4]'],
    ['[]', '[]', '[]'],
  ]
  const rows = chains.flatMap((said, chain) =>
    said.flatMap((warmup, i) => [
      ...(i === 0 ? [`('append', '', ${chain}, -1, 1, -1, 9, [], [])`] : []),
      `('append', '', ${chain}, ${2 * i}, 2, ${2 * i}, 1, [], [])`,
      `('draws', 'x', ${chain}, ${2 * i}, 2, ${2 * i}, 1, ${warmup}, [1, 1])`,
      `('stats', 'sampler_0__tune', ${chain}, ${2 * i}, 2, ${2 * i}, 1, ${warmup}, [1, 1])`,
      // A row of an attempt that came to nothing.
      `('stats', 'sampler_0__tune', ${chain}, ${2 * i}, 2, ${2 * i}, 2, [], [1, 1])`,
    ]),
  )
  await connection.command(
    `INSERT INTO chunks (kind, name, chain, start, count, head, attempt, warmup, float64, tenant, rid, registration)
    SELECT *, 'old', 'r', 'r-1' FROM values('kind String, name String, chain UInt32, start Int64, count UInt32,
      head Int64, attempt UInt64, warmup Array(Int64), float64 Array(Float64)', ${rows.join(', ')})`,
    {},
  )
  const sql = `SELECT chain, groupArray(draw) AS warmup FROM (SELECT * FROM draws
    WHERE tenant = {tenant:String} AND run = {run:String} AND is_warmup ORDER BY draw) GROUP BY chain ORDER BY chain`
  expect(await rowsOf(sql, { tenant: 'old', run: 'r' })).toEqual([
    { chain: 0, warmup: [0, 1, 2, 3, 4, 5] },
    { chain: 1, warmup: [0, 1, 2] },
    { chain: 2, warmup: [0, 1] },
    { chain: 4, warmup: [0] },
  ])
})

test('one variable of one of 1,000 runs reads only its rows', async () => {
  const values = `numbers(1000) AS run, numbers(4) AS chain`
  const key = `'many', {kind:String}, concat('run-', run.number), concat('r-', run.number)`
  const append = 'INSERT INTO chunks (tenant, kind, rid, registration, name, chain, start, count, attempt, float64)'
  await connection.command(
    `INSERT INTO runs (tenant, rid, registration) SELECT 'many', concat('run-', number),
    concat('r-', number) FROM numbers(1000)`,
    {},
  )
  await connection.command(`${append} SELECT ${key}, '', chain.number, 0, 1, 1, [] FROM ${values}`, { kind: 'append' })
  await connection.command(
    `${append} SELECT ${key}, concat('v', name.number), chain.number, 0, 1, 1, [run.number]
    FROM ${values}, numbers(50) AS name`,
    { kind: 'draws' },
  )
  const sql = `SELECT count() AS n, sum(value) AS total FROM draws
    WHERE tenant = {tenant:String} AND run = {run:String} AND variable = {variable:String}`
  const params = { tenant: 'many', run: 'run-77', variable: 'v7' }
  expectRows(await rowsOf(sql, params), [{ n: 4, total: 4 * 77 }])
  const read = await rowsOf(`EXPLAIN ESTIMATE ${sql}`, params)
  const [all] = await rowsOf("SELECT count() AS n FROM chunks WHERE tenant = 'many'")
  expect(all?.n).toBe(204_000)
  const rows = sum(read.filter(({ table }) => table === 'chunks').map((row) => Number(row.rows)))
  // Granules of 64 rows: those of its draws and of its appends, in each part that may hold some.
  expect(rows).toBeGreaterThanOrEqual(8)
  expect(rows).toBeLessThan(2040)
})
