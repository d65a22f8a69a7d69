/** The suite on the null backend, as far as it applies, and what is its own. */
import { expect, test } from 'vitest'
import { NullStore } from '../../src/backends/null.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { floats } from './arrays.ts'
import { conformance } from './index.ts'

conformance({
  name: 'null',
  keepsDraws: false,
  open: async () => {
    const store = new NullStore()
    return { backend: new StoreBackend(store), other: new StoreBackend(store), close: async () => {} }
  },
})

test('reading draws from the null backend says why there are none', async () => {
  const backend = new StoreBackend(new NullStore())
  const run = await backend.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'float64' }] })
  const chain = await run.initChain(0)
  await chain.appendBatch({ start: 0, count: 1, draws: new Map([['x', floats([1], [1])]]) })
  await expect(chain.getDraws('x')).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('keeps no draws'),
  })
})

test('a summary on the null backend says the same, and of a run without chains that there is nothing', async () => {
  const backend = new StoreBackend(new NullStore())
  const run = await backend.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'float64' }] })
  expect(await run.summary({ columns: ['mean', 'rhat'] })).toMatchObject({
    draws: 0,
    chains: [],
    rows: [{ label: 'x', figures: ['too_few', 'too_few'] }],
  })
  const chain = await run.initChain(0)
  await chain.appendBatch({ start: 0, count: 1, draws: new Map([['x', floats([1], [1])]]) })
  await expect(run.summary()).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('keeps no draws'),
  })
})
