/** The duties of who reads (conformance/README.md), on draws that no client has written. */
import { describe, expect, test } from 'vitest'
import { mcbackend } from '../../../src/core/generated/messages.js'
import type { Draws } from '../../../src/core/interfaces.ts'
import { expectSameArray, expectSameDraws, floats, fromBits, numbers, texts } from '../../../test/conformance/arrays.ts'
import { HOSTILE_NAMES } from '../../../test/conformance/names.ts'
import type { DriverChain } from '../backend.ts'
import type { Answer, Fate, Fault } from '../proxy.ts'
import { DRAWS, floatBatch, metaOf } from './raw.ts'
import { encodeBatch, STYLES } from './variants.ts'
import type { World } from './world.ts'
import { counted, expectPause, later, SHAPES } from './writer.ts'

const CHAIN = /^\/v1\/runs\/[^/]+\/chains(\/\d+)?$/
const RUN = /^\/v1\/runs\/[^/?]+$/

const bytesOf = (values: ArrayLike<number>, type: Float64ArrayConstructor | Int16ArrayConstructor) =>
  new Uint8Array(type.from(values).buffer)

/** Columns of every layout: as the run has them, as a batch has them, and as draws. */
const COLUMNS: readonly {
  readonly variable: mcbackend.Variable.$Properties
  readonly column: mcbackend.Column.$Properties
  readonly draws: Draws
}[] = [
  {
    variable: { name: 'matrix', dtype: 'float64', shape: [2, 2] },
    column: { name: 'matrix', dtype: 'float64', data: bytesOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], Float64Array) },
    draws: floats([3, 2, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
  },
  {
    variable: { name: 'ragged', dtype: 'int16', shape: [-1] },
    column: { name: 'ragged', dtype: 'int16', data: bytesOf([1, -2, 3], Int16Array), shapes: [1, 2, 1, 0, 1, 1] },
    draws: [numbers('int16', [2], [1, -2]), numbers('int16', [0], []), numbers('int16', [1], [3])],
  },
  {
    variable: { name: 'words', dtype: 'str', shape: [2] },
    column: { name: 'words', dtype: 'str', strings: ['', 'μ', 'a', 'b', '😀', ''] },
    draws: texts([3, 2], ['', 'μ', 'a', 'b', '😀', '']),
  },
  {
    variable: { name: 'any', dtype: 'str', undefinedNdim: true },
    column: { name: 'any', dtype: 'str', shapes: [0, 2, 1, 300, 2, 0, 0], strings: ['x', ...new Array(300).fill('y')] },
    draws: [texts([], ['x']), texts([1, 300], new Array(300).fill('y')), texts([0, 0], [])],
  },
]

export function readerDuties(world: () => World): void {
  /** A chain with these columns, as far as the client holds them, seen by the client. */
  const chainOfColumns = async () => {
    const columns = COLUMNS.filter(({ draws }) => world().lacks.holds(draws))
    const rid = world().newRid()
    await world().raw.register(rid, metaOf(columns.map(({ variable }) => variable)))
    await world().raw.chain(rid)
    await world().raw.append(rid, { start: 0, count: 3, draws: columns.map(({ column }) => column) })
    return { columns, chain: await chainOf(world(), rid) }
  }

  test('names come back under themselves, percent-encoded in the query', async () => {
    const rid = world().newRid()
    const variables = HOSTILE_NAMES.map((name) => ({ name, dtype: 'float64' }))
    await world().raw.register(rid, metaOf(variables, variables))
    await world().raw.chain(rid)
    const valued = (from: number) =>
      HOSTILE_NAMES.map((name, i) => ({ name, dtype: 'float64', data: bytesOf([from + i], Float64Array) }))
    await world().raw.append(rid, { start: 0, count: 1, draws: valued(0), stats: valued(1000) })
    const chain = await chainOf(world(), rid)
    for (const [i, name] of HOSTILE_NAMES.entries()) {
      if (name.includes('\u0000') && world().lacks.has('nul')) continue
      expectSameDraws(await chain.getDraws(name), floats([1], [i]))
      expectSameDraws(await chain.getStats(name), floats([1], [1000 + i]))
    }
  })

  test('a matrix is read in C order: the last index moves fastest', async () => {
    const rid = world().newRid()
    const variables = SHAPES.map((shape) => ({ name: `x[${shape}]`, dtype: 'float64', shape: [...shape] }))
    await world().raw.register(rid, metaOf(variables))
    await world().raw.chain(rid)
    const draws = SHAPES.map((shape) => {
      const { data } = counted(shape)
      return { name: `x[${shape}]`, dtype: 'float64', data: bytesOf([...data].map(Number), Float64Array) }
    })
    await world().raw.append(rid, { start: 0, count: 1, draws })
    const chain = await chainOf(world(), rid)
    const at = await chain.getDrawsAt(0)
    for (const shape of SHAPES) {
      const name = `x[${shape}]`
      expectSameArray(at.get(name), counted(shape))
      expectSameDraws(await chain.getDraws(name), floats([1, ...shape], [...counted(shape).data].map(Number)))
    }
  })

  describe.each(Object.entries(STYLES))('an answer with %s', (_name, style) => {
    test('is read', async () => {
      const { columns, chain } = await chainOfColumns()
      const restyled: Fate = async (ask) => {
        const answer = await ask()
        return { ...answer, body: encodeBatch(mcbackend.DrawBatch.decode(answer.body), style) }
      }
      world().next('GET', DRAWS, restyled, Number.POSITIVE_INFINITY)
      for (const { variable, draws } of columns) expectSameDraws(await chain.getDraws(variable.name ?? ''), draws)
      const at = await chain.getDrawsAt(1)
      for (const { variable, draws } of columns) {
        const array = at.get(variable.name ?? '')
        if ('dtype' in draws) expect([...(array?.data ?? [])].map(String)).toEqual(middleOf(draws).map(String))
        else expectSameArray(array, draws[1] ?? floats([], []))
      }
    })
  })

  test('a stat that some batches left out has its fill there', async () => {
    const rid = world().newRid()
    const stats = [
      { name: 'lp', dtype: 'float64' },
      { name: 'tune', dtype: 'bool' },
      { name: 'depth', dtype: 'int32' },
    ]
    await world().raw.register(rid, metaOf([{ name: 'x', dtype: 'float64' }], stats))
    await world().raw.chain(rid)
    const given = [
      { name: 'lp', dtype: 'float64', data: bytesOf([-1.5], Float64Array) },
      { name: 'tune', dtype: 'bool', data: new Uint8Array([1]) },
      { name: 'depth', dtype: 'int32', data: new Uint8Array([7, 0, 0, 0]) },
    ]
    await world().raw.append(rid, floatBatch(0, [1]))
    await world().raw.append(rid, { ...floatBatch(1, [2]), stats: given })
    await world().raw.append(rid, floatBatch(2, [3]))
    const chain = await chainOf(world(), rid)
    const nan = 0x7ff8000000000000n
    expectSameDraws(await chain.getStats('lp'), fromBits('float64', [3], [nan, 0xbff8000000000000n, nan]))
    expectSameDraws(await chain.getStats('tune'), numbers('bool', [3], [0, 1, 0]))
    expectSameDraws(await chain.getStats('depth'), numbers('int32', [3], [0, 7, 0]))
    expectSameDraws(await chain.getDraws('x'), floats([3], [1, 2, 3]))
  })

  test('a chain that grows while it is read gives whole draws, as many as the answer has', async () => {
    const run = await world().runOfX()
    await world().raw.chain(run.rid)
    await world().raw.append(run.rid, floatBatch(0, [0, 1, 2]))
    const chain = await chainOf(world(), run.rid)
    let length = 3
    const growing: Fate = async (ask) => {
      await world().raw.append(run.rid, floatBatch(length, [length, length + 1]))
      length += 2
      return ask()
    }
    world().next('GET', DRAWS, growing, 4)
    for (let round = 0; round < 3; round++) {
      const before = length
      const draws = await chain.getDraws('x')
      const read = 'dtype' in draws ? [...draws.data].map(Number) : []
      expect(read.length).toBeGreaterThanOrEqual(before)
      expect(read).toEqual(read.map((_, i) => i))
      const [count] = 'dtype' in draws ? draws.shape : []
      expect(count).toBe(read.length)
    }
  })

  describe('an answer that is not whole is asked for again, and never a shorter chain', () => {
    const faults: readonly Fault[] = ['lost', 'broken', 'broken chunk', 'gateway', 'unavailable']
    test.each(faults)('%s', async (fault) => {
      const { chain, values } = await chainOfTen(world())
      world().next('GET', DRAWS, fault, 2)
      expectSameDraws(await chain.getDraws('x'), values)
      world().next('GET', CHAIN, fault, 2)
      expect(await chain.length()).toBe(10)
    })
  })

  test('not asked again before Retry-After', async () => {
    const { chain, values } = await chainOfTen(world())
    world().next('GET', DRAWS, later(429))
    expectSameDraws(await chain.getDraws('x'), values)
    expectPause(world().arrived('GET', DRAWS))
  })

  describe('an answer that is damaged, or of somebody else, is never taken for draws', () => {
    test.each(Object.entries(DAMAGES))('%s', async (_name, damage) => {
      const { chain, values } = await chainOfTen(world())
      world().next('GET', DRAWS, async (ask) => damage(await ask()))
      // An error is right, and so is a second question.
      const read = await chain.getDraws('x').catch((error: unknown) => error)
      if (!(read instanceof Error)) expectSameDraws(read as Draws, values)
    })
  })

  test("a proxy's page of 200 is neither a run, nor a chain, nor a length", async () => {
    const { chain } = await chainOfTen(world())
    world().next('GET', RUN, 'page')
    const found = await world()
      .backend.getRun(chain.rid)
      .catch((error: unknown) => error)
    expect(found, 'the run that there is, or an error').toBeDefined()
    world().next('GET', CHAIN, 'page')
    const length = await chain.length().catch(() => 10)
    expect(length, 'the length that there is, or an error').toBe(10)
  })
}

/** Answers to a read of ten draws that are well-formed HTTP, and wrong. */
const DAMAGES: Readonly<Record<string, (answer: Answer) => Answer>> = {
  'half of the bytes, of which nothing tells': (answer) => ({
    ...answer,
    body: answer.body.subarray(0, Math.floor(answer.body.length / 2)),
  }),
  'no bytes at all': (answer) => ({ ...answer, body: Buffer.alloc(0) }),
  'a column of fewer draws than its count': (answer) => changed(answer, (batch) => cutColumn(batch, 5)),
  'half a number at the end of a column': (answer) => changed(answer, (batch) => cutColumn(batch, 9.5)),
  'a column of another name': (answer) =>
    changed(answer, (batch) => {
      batch.draws = batch.draws.map((column) => ({ ...column, name: 'y' }))
    }),
  'no column': (answer) =>
    changed(answer, (batch) => {
      batch.draws = []
    }),
  "a proxy's page": (answer) => ({
    ...answer,
    headers: { 'content-type': 'text/html' },
    body: Buffer.from('<html>Please sign in</html>'),
  }),
}

function changed(answer: Answer, change: (batch: mcbackend.DrawBatch) => void): Answer {
  const batch = mcbackend.DrawBatch.decode(answer.body)
  change(batch)
  return { ...answer, body: encodeBatch(batch, {}) }
}

function cutColumn(batch: mcbackend.DrawBatch, draws: number): void {
  batch.draws = batch.draws.map(({ data, ...column }) => ({ ...column, data: data?.slice(0, draws * 8) ?? null }))
}

async function chainOf(world: World, rid: string): Promise<DriverChain> {
  const chain = await (await world.open(rid)).getChain(0)
  if (chain !== undefined) return chain
  throw new Error(`getChain does not find chain 0 of run "${rid}", which the server has`)
}

async function chainOfTen(world: World) {
  const { rid } = await world.runOfX()
  const values = Array.from({ length: 10 }, (_, i) => i / 3)
  await world.raw.chain(rid)
  await world.raw.append(rid, floatBatch(0, values))
  return { chain: await chainOf(world, rid), values: floats([10], values) }
}

/** Elements of the second of three draws. */
function middleOf({ shape, data }: { readonly shape: readonly number[]; readonly data: Iterable<unknown> }) {
  const size = shape.slice(1).reduce((a, b) => a * b, 1)
  return [...data].slice(size, 2 * size)
}
