/** Writing reference draws through any backend, and reading them back. Knows no platform. */
import { expect } from 'vitest'
import { bytesOf } from '../../src/core/draws/dtype.ts'
import type { Backend, Chain, Draws } from '../../src/core/interfaces.ts'

/** Iterations of one batch, so that a chain takes several. */
const BATCH = 300

function columns(draws: { readonly [name: string]: readonly number[] }, from: number, to: number): Map<string, Draws> {
  const slices = Object.entries(draws).map(([name, values]) => {
    const data = new Float64Array(values.slice(from, to))
    return [name, { dtype: 'float64', shape: [data.length], data }] as const
  })
  return new Map<string, Draws>(slices)
}

/** Writes all chains of a posterior as one run and expects to read them back bit for bit. */
export async function roundTrip(
  backend: Backend,
  rid: string,
  chains: readonly { readonly [name: string]: readonly number[] }[],
): Promise<void> {
  const [first = {}] = chains
  const names = Object.keys(first)
  const run = await backend.initRun({ rid, variables: names.map((name) => ({ name, dtype: 'float64' })) })
  await Promise.all(
    chains.map(async (draws, number) => {
      const chain = await run.initChain(number)
      const length = draws[names[0] ?? '']?.length ?? 0
      for (let from = 0; from < length; from += BATCH) {
        const to = Math.min(length, from + BATCH)
        await chain.appendBatch({ start: from, count: to - from, draws: columns(draws, from, to) })
      }
    }),
  )
  const stored = await (await backend.getRun(rid))?.getChains()
  expect(stored?.map((chain) => chain.number)).toEqual(chains.map((_, number) => number))
  for (const chain of stored ?? []) await expectSame(chain, chains[chain.number] ?? {})
}

async function expectSame(chain: Chain, draws: { readonly [name: string]: readonly number[] }): Promise<void> {
  for (const [name, values] of Object.entries(draws)) {
    const read = await chain.getDraws(name)
    if (!('data' in read) || read.dtype === 'str') throw new Error(`"${name}" is not an array of numbers`)
    expect(read.shape).toEqual([values.length])
    expect(Buffer.from(bytesOf(read.data)).equals(Buffer.from(bytesOf(new Float64Array(values))))).toBe(true)
  }
}
