/** The warmup rule of the contract, section 7. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { buildSchema } from '../../src/core/draws/columns.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { warmupFlag, warmupIn, warmupLength } from '../../src/core/warmup.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { named } from '../conformance/arrays.ts'

const flagOf = (...stats: { name: string; dtype: string; shape?: number[] }[]) =>
  warmupFlag(buildSchema([{ name: 'tune', dtype: 'bool' }], stats, DEFAULT_LIMITS))?.name

const bools = (...names: string[]) => names.map((name) => ({ name, dtype: 'bool' }))

test('the flag is chosen by its name, not by its place', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(['in_warmup', 'tune', 'warmup', 'is_warmup']), (names) => {
      const first = ['in_warmup', 'tune', 'warmup', 'is_warmup'].find((name) => names.includes(name))
      expect(flagOf(...bools('diverging', 'sampler_0__in_warmup', ...names))).toBe(first ?? 'sampler_0__in_warmup')
    }),
  )
})

test('without such a name it is the first one with a suffix', () => {
  expect(flagOf(...bools('a__is_warmup', 'sampler_0__tune', 'b__in_warmup'))).toBe('a__is_warmup')
  expect(flagOf(...bools('sampler_1__tune', 'sampler_0__tune'))).toBe('sampler_1__tune')
  expect(flagOf(...bools('a_tune', 'tuned', 'tune__x', 'Tune', '_tune'))).toBeUndefined()
})

test('it is a scalar of bool', () => {
  const notScalar = { name: 'in_warmup', dtype: 'bool', shape: [1] }
  const noBool = { name: 'tune', dtype: 'int8' }
  expect(flagOf(notScalar, noBool, { name: 'warmup', dtype: 'bool', shape: [-1] })).toBeUndefined()
  expect(flagOf(notScalar, noBool, ...bools('is_warmup'))).toBe('is_warmup')
  expect(flagOf()).toBeUndefined()
})

test('warmup is the longest prefix for which it holds, in whatever batches it came', async () => {
  const backend = new StoreBackend(new MemoryStore())
  let runs = 0
  const batches = fc.array(fc.option(fc.array(fc.boolean(), { minLength: 1, maxLength: 6 })), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(batches, fc.nat({ max: 12 }), async (sent, warm) => {
      const rid = `r${++runs}`
      const run = await backend.initRun({ rid, variables: [], sampleStats: bools('tune') })
      const chain = await run.initChain(0)
      const all: boolean[] = []
      for (const batch of [new Array<boolean>(warm + 1).fill(true), ...sent]) {
        const count = batch?.length ?? 3
        // A flag that was not sent is false.
        all.push(...(batch ?? new Array<boolean>(count).fill(false)))
        const data = Uint8Array.from(batch ?? [], Number)
        const stats = batch ? named(['tune', { dtype: 'bool', shape: [count], data }]) : new Map()
        await chain.appendBatch({ count, draws: new Map(), stats })
      }
      const flag = warmupFlag(run.schema)
      const expected = all.includes(false) ? all.indexOf(false) : all.length
      expect(await warmupLength(await run.read(0, flag ? [flag] : []))).toBe(expected)
      expect(warmupIn(Uint8Array.from(all, Number))).toBe(expected)
    }),
    { numRuns: 100 },
  )
})
