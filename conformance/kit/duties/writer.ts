/** The duties of who writes (conformance/README.md), each with the failure that it is about. */
import { describe, expect, test } from 'vitest'
import { mcbackend } from '../../../src/core/generated/messages.js'
import { floats, product } from '../../../test/conformance/arrays.ts'
import type { DriverChain } from '../backend.ts'
import type { Answer, Fault, Passing } from '../proxy.ts'
import { DRAWS, floatBatch, metaOf } from './raw.ts'
import type { World } from './world.ts'

const ALWAYS = Number.POSITIVE_INFINITY
const CHAIN = /^\/v1\/runs\/[^/]+\/chains\/\d+$/
const RUN = /^\/v1\/runs\/[^/?]+$/

/** Shapes of draws in which a wrong order of elements shows. */
export const SHAPES = [
  [2, 3],
  [2, 3, 4],
  [3, 1, 2],
] as const

/** The numbers from 0 on, in C order. */
export const counted = (shape: readonly number[]) =>
  floats(
    shape,
    Array.from({ length: product(shape) }, (_, i) => i),
  )

const columns = (values: readonly number[]) => new Map([['x', floats([values.length], values)]])

/** Refusals that somebody may mend while a client waits: a key is renewed, a server repaired. */
const MAY_PASS: readonly number[] = [401, 403, 500]

/** Ways to write, of which a client may have one alone. */
type Write = (chain: DriverChain, start: number, values: readonly number[]) => Promise<unknown>

const WAYS: Readonly<Record<string, Write>> = {
  append: async (chain, _start, values) => {
    for (const value of values) await chain.append({ x: value })
    await chain.flush()
  },
  appendBatch: (chain, start, values) => chain.appendBatch({ start, count: values.length, draws: columns(values) }),
}

const startsOf = (posts: readonly { readonly body: Buffer }[]) =>
  posts.map(({ body }) => Number(mcbackend.DrawBatch.decode(body).start))

/** A proxy refuses a request for its size. */
const TOO_LARGE = async (): Promise<Answer> => {
  return {
    status: 413,
    headers: { 'content-type': 'text/html' },
    body: Buffer.from('<h1>Request Entity Too Large</h1>'),
  }
}

/** An answer that refuses for good. */
function refusal(status: number, code: string, more: object = {}): () => Promise<Answer> {
  const body = Buffer.from(JSON.stringify({ type: `urn:mcbackend:error:${code}`, status, code, detail: 'no', ...more }))
  return async () => ({ status, headers: { 'content-type': 'application/problem+json' }, body })
}

/** Seconds of a pause that a server asks for: more than any that a client makes by itself. */
const RETRY_AFTER = 3

/** An answer that asks for such a pause. */
export const later = (status: number) => async (): Promise<Answer> => {
  return { status, headers: { 'retry-after': String(RETRY_AFTER) }, body: Buffer.from('later') }
}

export function expectPause([first, second]: readonly Passing[]): void {
  const pause = (second?.at ?? 0) - (first?.at ?? 0)
  expect(pause, 'milliseconds between both attempts').toBeGreaterThanOrEqual(RETRY_AFTER * 1000 - 100)
}

const errorOf = (doing: Promise<unknown>) =>
  doing.then(
    () => undefined,
    (error: unknown) => error,
  )

export function writerDuties(world: () => World): void {
  describe.each(Object.entries(WAYS))('by %s', (way, write) => {
    const newChain = async () => {
      world().lacks.need('writing')
      world().lacks.need(way)
      return world().chainOfX()
    }

    test('a lost answer: the same iterations go again, under the same indices', async () => {
      const chain = await newChain()
      await write(chain, 0, [1, 2])
      const before = world().arrived('POST', DRAWS).length
      world().next('POST', DRAWS, 'lost')
      await write(chain, 2, [3, 4, 5])
      expect(await world().raw.floats(chain.rid), 'draws on the server, each once').toEqual([1, 2, 3, 4, 5])
      const starts = startsOf(world().arrived('POST', DRAWS).slice(before))
      expect(starts.length, 'requests with these draws').toBeGreaterThan(1)
      expect(Math.max(...starts), 'no request begins behind what was acknowledged').toBeLessThan(5)
      expect(await chain.length()).toBe(5)
    })

    test('answers that are lost time and again', async () => {
      const chain = await newChain()
      const values = Array.from({ length: 40 }, (_, i) => i / 7)
      for (let round = 0; round < 4; round++) {
        world().next('POST', DRAWS, 'lost', 3)
        await write(chain, round * 10, values.slice(round * 10, round * 10 + 10))
      }
      expect(await world().raw.floats(chain.rid)).toEqual(values)
    })

    test("a proxy's page of 200 is no acknowledgement", async () => {
      for (const fault of ['page', 'late page'] as const) {
        const chain = await newChain()
        await write(chain, 0, [1, 2])
        world().next('POST', DRAWS, fault)
        const error = await errorOf(write(chain, 2, [3, 4]))
        const stored = await world().raw.floats(chain.rid)
        // Giving up is allowed, and so is trying again; to say that all is well is not.
        if (error === undefined) expect(stored, 'the write succeeded, so the draws are there').toEqual([1, 2, 3, 4])
        else
          expect([
            [1, 2],
            [1, 2, 3, 4],
          ]).toContainEqual(stored)
      }
    })

    test('a request that a proxy refuses as too large goes in smaller ones, or the caller is told', async () => {
      const chain = await newChain()
      const values = Array.from({ length: 16 }, (_, i) => i / 7)
      await write(chain, 0, values.slice(0, 4))
      world().next('POST', DRAWS, TOO_LARGE)
      const error = await errorOf(write(chain, 4, values.slice(4)))
      const stored = await world().raw.floats(chain.rid)
      if (error === undefined) return expect(stored, 'the write succeeded, so the draws are there').toEqual(values)
      expect(error).toMatchObject({ code: 'payload_too_large' })
      expect(stored, 'what is there has no gaps').toEqual(values.slice(0, stored?.length))
    })

    test.each<Fault>(['cut', 'lost', 'broken', 'unavailable', 'busy', 'timeout', 'gateway', 'late gateway'])(
      'tried again after: %s',
      async (fault) => {
        const chain = await newChain()
        world().next('POST', DRAWS, fault, 2)
        await write(chain, 0, [1, 2, 3])
        expect(await world().raw.floats(chain.rid)).toEqual([1, 2, 3])
      },
    )

    test.each([
      [400, 'invalid_parameter'],
      [401, 'unauthorized'],
      [403, 'forbidden'],
      [422, 'missing_variable'],
      [500, 'internal_error'],
    ])('not tried again after %d %s, which the caller is told', async (status, code) => {
      if (MAY_PASS.includes(status)) world().lacks.need('gives-up')
      const chain = await newChain()
      world().next('POST', DRAWS, refusal(status, code, { variable: 'x' }), ALWAYS)
      expect(await errorOf(write(chain, 0, [1, 2]))).toMatchObject({ code })
      expect(world().arrived('POST', DRAWS)).toHaveLength(1)
    })

    test.each([429, 503])('not tried again before Retry-After of %d', async (status) => {
      const chain = await newChain()
      world().next('POST', DRAWS, later(status))
      await write(chain, 0, [1, 2])
      expectPause(world().arrived('POST', DRAWS))
      expect(await world().raw.floats(chain.rid)).toEqual([1, 2])
    })

    test('a matrix arrives in C order: the last index moves fastest', async () => {
      world().lacks.need('writing')
      world().lacks.need(way)
      const rid = world().newRid()
      const variables = SHAPES.map((shape) => ({ name: `x[${shape}]`, dtype: 'float64', shape: [...shape] }))
      await world().raw.register(rid, metaOf(variables))
      const chain = await (await world().open(rid)).initChain(0)
      const arrays = SHAPES.map((shape) => [`x[${shape}]`, counted(shape)] as const)
      if (way === 'append') {
        await chain.append(new Map(arrays))
        await chain.flush()
      } else {
        const draws = arrays.map(
          ([name, { shape, data }]) => [name, floats([1, ...shape], [...data].map(Number))] as const,
        )
        await chain.appendBatch({ count: 1, draws: new Map(draws) })
      }
      for (const { name, data } of (await world().raw.draws(rid)).draws) {
        const values = [...new Float64Array(new Uint8Array(data ?? []).buffer)]
        expect(values, `bytes of ${name} on the server`).toEqual(values.map((_, i) => i))
      }
    })

    test('indices begin with the length that opening the chain has told', async () => {
      world().lacks.need('writing')
      world().lacks.need(way)
      const run = await world().runOfX()
      await world().raw.chain(run.rid)
      await world().raw.append(run.rid, floatBatch(0, [1, 2, 3]))
      const chain = await run.initChain(0)
      await write(chain, 3, [4, 5])
      expect(startsOf(world().arrived('POST', DRAWS))[0]).toBe(3)
      expect(await world().raw.floats(chain.rid)).toEqual([1, 2, 3, 4, 5])
    })

    test('draw_conflict: a chain that somebody else writes is left to them, and the caller is told', async () => {
      const chain = await newChain()
      await write(chain, 0, [1, 2])
      await world().raw.append(chain.rid, floatBatch(2, [7, 8, 9]))
      expect(await errorOf(write(chain, 2, [3, 4]))).toMatchObject({ code: 'draw_conflict' })
      expect(await world().raw.floats(chain.rid)).toEqual([1, 2, 7, 8, 9])
    })

    test('draw_gap: back to what the server has, or an error; never ahead', async () => {
      const chain = await newChain()
      await write(chain, 0, [1, 2, 3, 4, 5])
      world().next('POST', DRAWS, refusal(409, 'draw_gap', { length: 2 }))
      const error = await errorOf(write(chain, 5, [6, 7]))
      const stored = await world().raw.floats(chain.rid)
      if (error === undefined)
        expect(stored, 'the write succeeded, so the draws are there').toEqual([1, 2, 3, 4, 5, 6, 7])
      else {
        expect(error).toMatchObject({ code: 'draw_gap' })
        expect(stored).toEqual([1, 2, 3, 4, 5])
      }
      expect(Math.max(...startsOf(world().arrived('POST', DRAWS)))).toBe(5)
    })

    test('run_replaced: nothing goes into a run that has taken the place of another one', async () => {
      const chain = await newChain()
      await write(chain, 0, [1, 2])
      await world().raw.register(chain.rid, metaOf([{ name: 'x', dtype: 'float64' }]))
      await world().raw.chain(chain.rid)
      expect(await errorOf(write(chain, 2, [3, 4]))).toMatchObject({ code: 'run_replaced' })
      expect(await world().raw.floats(chain.rid)).toEqual([])
    })

    test('after a failure for good, nothing is lost in silence', async () => {
      if (way === 'append') world().lacks.need('kept')
      const chain = await newChain()
      await write(chain, 0, [1])
      world().next('POST', DRAWS, refusal(422, 'missing_variable', { variable: 'x' }), ALWAYS)
      expect(await errorOf(write(chain, 1, [2, 3]))).toMatchObject({ code: 'missing_variable' })
      await world().reset()
      // Draws that were appended one by one are the client's to keep; a batch is given again.
      const later = await errorOf(way === 'append' ? write(chain, 3, [4]) : write(chain, 1, [2, 3, 4]))
      expect(await world().raw.floats(chain.rid)).toEqual(later === undefined ? [1, 2, 3, 4] : [1])
    })
  })

  test('every request for chains names the registration', async () => {
    world().lacks.need('writing')
    const run = await world().runOfX()
    const registration = (await world().raw.request('GET', `/v1/runs/${run.rid}`, undefined, 200)).headers.get(
      'Mcb-Registration',
    )
    const chain = await run.initChain(0)
    await WAYS[world().lacks.has('appendBatch') ? 'append' : 'appendBatch']?.(chain, 0, [1, 2])
    const writing = world().seen.filter(({ method, target }) => method !== 'GET' && target.includes('/chains/'))
    expect(writing.length).toBeGreaterThanOrEqual(2)
    for (const { method, target, headers } of writing) {
      expect(headers['mcb-registration'], `Mcb-Registration of ${method} ${target}`).toBe(registration)
    }
  })

  test("a proxy's page of 200 registers nothing and opens nothing", async () => {
    world().lacks.need('writing')
    const rid = world().newRid()
    world().next('PUT', RUN, 'page')
    const meta = { rid, variables: [{ name: 'x', dtype: 'float64' }] }
    const run = await world()
      .backend.initRun(meta)
      .catch(() => undefined)
    if (run !== undefined) expect(await world().raw.meta(rid), 'initRun succeeded, so the run is there').toBeDefined()

    const registered = await world().runOfX()
    world().next('PUT', CHAIN, 'page')
    const chain = await registered.initChain(0).catch(() => undefined)
    if (chain !== undefined) {
      expect(await world().raw.chains(registered.rid), 'initChain succeeded, so the chain is there').toBe(1)
    }
  })

  test("a proxy's page of 200 deletes nothing", async () => {
    const { rid } = await world().runOfX()
    world().next('DELETE', RUN, 'page')
    const deleted = await world()
      .backend.deleteRun(rid)
      .catch(() => undefined)
    if (deleted === true) expect(await world().raw.meta(rid), 'deleteRun succeeded, so the run is gone').toBeUndefined()
  })
}
