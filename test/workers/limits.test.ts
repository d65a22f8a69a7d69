/** D1's limits, which workerd's own D1 does not hold to: 100 parameters, 100 KB of SQL, 2,000,000 bytes a row. */
import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import type { DrawBatch, Draws } from '../../src/core/interfaces.ts'
import { D1Driver } from '../../src/sql/d1.ts'
import type { Param, Program, Row } from '../../src/sql/program.ts'
import { database, openBackend } from './local.ts'

const driver = new D1Driver(database)

function read(sql: string, ...params: Param[]): Promise<readonly Row[]> {
  return driver.run(function* (): Program<readonly Row[]> {
    const [rows = []] = yield { reads: [{ sql, params }] }
    return rows
  })
}

describe('statements', () => {
  test('100 parameters, and no more', async () => {
    const sum = (n: number) =>
      read(`SELECT ${Array.from({ length: n }, () => '?').join(' + ')} AS sum`, ...Array(n).fill(1))
    expect(await sum(100)).toEqual([{ sum: 100 }])
    await expect(sum(101)).rejects.toThrow('a statement has 101 parameters, D1 takes 100')
  })

  test('100,000 bytes of SQL, and no more', async () => {
    const padded = (bytes: number) => 'SELECT 1 AS one'.padEnd(bytes, ' ')
    expect(await read(padded(100_000))).toEqual([{ one: 1 }])
    await expect(read(padded(100_001))).rejects.toThrow('D1 takes 100000')
  })

  test('cells of 1,999,000 bytes, and no more', async () => {
    const length = (param: Param) => read('SELECT length(?) AS length', param)
    expect(await length('x'.repeat(1_999_000))).toEqual([{ length: 1_999_000 }])
    await expect(length('x'.repeat(1_999_001))).rejects.toThrow('a cell has 1999001 bytes')
    // Bytes that text takes, not its characters.
    expect(await length('μ'.repeat(999_500))).toEqual([{ length: 999_500 }])
    await expect(length('μ'.repeat(999_501))).rejects.toThrow('a cell has 1999002 bytes')
    // Three bytes take four characters.
    expect(await length(new Uint8Array(1_499_250))).toEqual([{ length: 1_999_000 }])
    await expect(length(new Uint8Array(1_499_251))).rejects.toThrow('a cell has 1999004 bytes')
  })
})

describe('bytes', () => {
  test.each([0, 1, 2, 3, 1000, 1024 * 1024])('%i of them come back as they went', async (size) => {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31) >> 3)
    const [row] = await read('SELECT ? AS data', bytes)
    expect(row?.data).toBeInstanceOf(Uint8Array)
    expect(row?.data).toEqual(bytes)
  })

  test('null stays null', async () => {
    expect(await read('SELECT ? AS data', null)).toEqual([{ data: null }])
  })
})

const scalar = (name: string) => ({ name, dtype: 'float64', shape: [] })
const column = (count: number, seed: number): Draws => ({
  dtype: 'float64',
  shape: [count],
  data: Float64Array.from({ length: count }, (_, i) => seed + i / 7),
})

describe('programs', () => {
  test('10,000 columns are appended, folded and read within them', async () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `theta[${i}]`)
    const run = await openBackend().initRun({ rid: 'wide', variables: names.map(scalar) })
    const chain = await run.initChain(0)
    const batchOf = (start: number, count: number): DrawBatch => ({
      start,
      count,
      draws: new Map(names.map((name, i) => [name, column(count, start + i)])),
    })
    let length = 0
    // 80 KB a draw: tails that are folded every dozen of draws, joined chunks, and batches that go straight to chunks.
    for (let round = 0; round < 30; round++) length = await chain.appendBatch(batchOf(length, 1))
    length = await chain.appendBatch(batchOf(length, 20))
    length = await chain.appendBatch(batchOf(length, 3))
    for (const name of ['theta[0]', 'theta[4711]', 'theta[9999]']) {
      const i = Number(name.slice(6, -1))
      const draws = await chain.getDraws(name)
      const expected = [...Array.from({ length: 30 }, (_, start) => [start, 1]), [30, 20], [50, 3]].flatMap(
        ([start = 0, count = 0]) => Array.from({ length: count }, (_, k) => start + i + k / 7),
      )
      expect(draws).toEqual({ dtype: 'float64', shape: [length], data: Float64Array.from(expected) })
    }
  })

  test('no row of a large draw, of large strings or of a large RunMeta exceeds them', async () => {
    const run = await openBackend().initRun({
      rid: 'large',
      variables: [
        { name: 'x', dtype: 'float64', shape: [625_000] },
        { name: 'text', dtype: 'str' },
      ],
      attributes: { note: { stringValue: 'n'.repeat(5_000_000) } },
    })
    const chain = await run.initChain(0)
    const text = 'μ'.repeat(1_500_000)
    for (let start = 0; start < 3; start++) {
      const data = Float64Array.from({ length: 625_000 }, (_, i) => start + i)
      const draws = new Map<string, Draws>([
        ['x', { dtype: 'float64', shape: [1, 625_000], data }],
        ['text', { dtype: 'str', shape: [1], data: [`${text}${start}`] }],
      ])
      await chain.appendBatch({ start, count: 1, draws })
    }
    for (const table of ['chunks', 'tail', 'run_meta']) {
      const sizes = await env.DB.prepare(
        `SELECT max(length(data)) AS bytes, sum(typeof(data) NOT IN ('text', 'null')) AS others FROM ${table}`,
      ).first<{ bytes: number | null; others: number | null }>()
      expect(sizes?.bytes ?? 0).toBeLessThan(1_999_000)
      expect(sizes?.others ?? 0).toBe(0)
    }
    const again = await (await openBackend().getRun('large'))?.getChain(0)
    expect((await again?.getDrawsAt(2, ['text']))?.get('text')?.data).toEqual([`${text}2`])
    expect((await again?.getDrawsAt(1, ['x']))?.get('x')?.data[624_999]).toBe(625_000)
  })
})
