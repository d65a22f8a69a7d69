/** A chain holds what was appended, on the worst of networks: nothing is lost, nothing doubled, nothing moved. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HttpBackend, type HttpChain, type HttpRun, type NdArray } from '../../src/client/index.ts'
import { EAGER, FAULTS, faultyNetwork, startApp, storedChain, URL_OF_APP } from './server.ts'

const META = {
  variables: [
    { name: 'x', dtype: 'float64' },
    { name: 'k', dtype: 'int64', shape: [2] },
    { name: 'ragged', dtype: 'float32', shape: [-1] },
    { name: 'label', dtype: 'str' },
  ],
  sampleStats: [
    { name: 'tune', dtype: 'bool' },
    { name: 'lp', dtype: 'float64' },
    { name: 'large', dtype: 'float64', shape: [600] },
  ],
}

interface Draw {
  readonly x: number
  readonly k: BigInt64Array<ArrayBuffer>
  readonly ragged: Float32Array<ArrayBuffer>
  readonly label: string
  readonly tune: boolean
  readonly lp: number | undefined
  readonly large: Float64Array<ArrayBuffer> | undefined
}

/** Every draw is another one, so that a lost, doubled or moved one is seen. */
function drawNumber(i: number): Draw {
  return {
    x: i + 0.5,
    k: new BigInt64Array([BigInt(i), -BigInt(i) * 2n ** 40n]),
    ragged: new Float32Array(i % 4).fill(i),
    label: `draw ${i} ${'å'.repeat(i % 3)}`,
    tune: i % 5 === 0,
    lp: i % 3 === 0 ? undefined : -i,
    large: i % 7 < 2 ? new Float64Array(600).fill(i) : undefined,
  }
}

function asBatch(draws: readonly Draw[]) {
  const count = draws.length
  const k = new BigInt64Array(count * 2)
  draws.forEach((d, i) => {
    k.set(d.k, i * 2)
  })
  const column = (dtype: 'float64', shape: number[], data: Float64Array<ArrayBuffer>): NdArray => ({
    dtype,
    shape,
    data,
  })
  const large = new Float64Array(count * 600)
  draws.forEach((d, i) => {
    large.set(d.large ?? new Float64Array(600).fill(Number.NaN), i * 600)
  })
  return {
    count,
    draws: new Map<string, NdArray | NdArray[]>([
      ['x', column('float64', [count], new Float64Array(draws.map((d) => d.x)))],
      ['k', { dtype: 'int64', shape: [count, 2], data: k }],
      ['ragged', draws.map((d) => ({ dtype: 'float32', shape: [d.ragged.length], data: d.ragged }))],
      ['label', { dtype: 'str', shape: [count], data: draws.map((d) => d.label) }],
    ]),
    stats: new Map<string, NdArray>([
      ['tune', { dtype: 'bool', shape: [count], data: new Uint8Array(draws.map((d) => Number(d.tune))) }],
      ['lp', column('float64', [count], new Float64Array(draws.map((d) => d.lp ?? Number.NaN)))],
      ['large', column('float64', [count, 600], large)],
    ]),
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('batch' as const), count: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('length' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('turn' as const) }) },
)
type Operation = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Appends to one chain in the ways that there are. */
class Sampler {
  /** Number of draws that the chain has taken. */
  taken = 0
  private readonly run: HttpRun
  private chain: HttpChain
  private readonly server: ReturnType<typeof startApp>

  constructor(run: HttpRun, chain: HttpChain, server: ReturnType<typeof startApp>) {
    this.run = run
    this.chain = chain
    this.server = server
  }

  async perform(operation: Operation): Promise<void> {
    switch (operation.kind) {
      case 'append':
        for (let i = 0; i < operation.count; i++) await this.append()
        return
      case 'batch':
        return this.appendBatch(operation.count)
      case 'flush':
        await this.chain.flush()
        expect(await (await storedChain(this.server, 'run')).length()).toBe(this.taken)
        return
      case 'length':
        expect(await this.chain.length()).toBe(this.taken)
        return
      case 'reopen':
        await this.chain.close()
        this.chain = await this.run.initChain(0)
        return
      case 'turn':
        await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  private async append(): Promise<void> {
    const { tune, lp, large, ...draw } = drawNumber(this.taken++)
    const stats = { tune, ...(lp !== undefined && { lp }), ...(large !== undefined && { large }) }
    await this.chain.append(draw, stats)
  }

  private async appendBatch(count: number): Promise<void> {
    const batch = asBatch(Array.from({ length: count }, (_, i) => drawNumber(this.taken + i)))
    this.taken += count
    expect(await this.chain.appendBatch(batch)).toBe(this.taken)
  }
}

const faults = fc.array(fc.option(fc.constantFrom(...FAULTS), { nil: undefined, freq: 3 }), { maxLength: 60 })

describe('exactly-once', () => {
  it('stores what was appended, in order, through any sequence of faults', async () => {
    const scenario = fc.record({
      steps: fc.array(step, { minLength: 1, maxLength: 12 }),
      faults,
      flush: fc.record({
        count: fc.integer({ min: 1, max: 50 }),
        bytes: fc.integer({ min: 1, max: 20_000 }),
        interval: fc.constantFrom(0, 5, Number.POSITIVE_INFINITY),
        maxBuffered: fc.integer({ min: 0, max: 40_000 }),
        maxRequest: fc.integer({ min: 1, max: 10_000 }),
      }),
    })
    await fc.assert(
      fc.asyncProperty(scenario, async ({ steps, faults, flush }) => {
        const server = startApp()
        const pending = [...faults]
        const network = faultyNetwork(server.fetch, () => pending.shift())
        const retry = { ...EAGER, limit: Number.POSITIVE_INFINITY, timeout: 15 }
        const backend = new HttpBackend({ url: URL_OF_APP, fetch: network.fetch, flush, retry })
        const run = await backend.initRun({ rid: 'run', ...META })
        const sampler = new Sampler(run, await run.initChain(0), server)
        for (const operation of steps) await sampler.perform(operation)
        await backend.close()
        await network.settled()
        await expectDraws(await storedChain(server, 'run'), sampler.taken)
      }),
      { numRuns: 120 },
    )
  }, 300_000)
})

async function expectDraws(chain: Awaited<ReturnType<typeof storedChain>>, count: number): Promise<void> {
  expect(await chain.length()).toBe(count)
  const { draws, stats } = asBatch(Array.from({ length: count }, (_, i) => drawNumber(i)))
  for (const [name, expected] of draws) expect(await chain.getDraws(name)).toEqual(expected)
  for (const [name, expected] of stats) expect(await chain.getStats(name)).toEqual(expected)
}
