/** Runs with real draws for questions in SQL, with stats that say which are warmup and which diverge. */

import type { Draws } from '../../src/core/interfaces.ts'
import type { StoreBackend } from '../../src/runs/backend.ts'
import { type ReferenceDraws, referenceDraws } from '../support/posteriordb.ts'

export const WARMUP = 200
const BATCH = 500

/** Values by chain and element: `values[chain][draw * width + index]`. */
export interface Variable {
  readonly name: string
  readonly width: number
  readonly chains: readonly (readonly number[])[]
}

export const reference = referenceDraws()
const eight = reference?.['eight_schools-eight_schools_noncentered'] ?? []
const kidiq = reference?.['kidiq-kidscore_momhs'] ?? []

/** Elements `name[1]`, `name[2]` … of the reference become one variable. */
function variablesOf(chains: ReferenceDraws): Variable[] {
  const [first = {}] = chains
  const names = new Set(Object.keys(first).map((key) => key.replace(/\[\d+\]$/, '')))
  return [...names].map((name) => {
    const keys = Object.keys(first).filter((key) => key.replace(/\[\d+\]$/, '') === name)
    const flat = (draws: ReferenceDraws[number]) =>
      (draws[keys[0] ?? ''] ?? []).flatMap((_, draw) => keys.map((key) => draws[key]?.[draw] ?? Number.NaN))
    return { name, width: keys.length, chains: chains.map(flat) }
  })
}

export const RUNS: Readonly<Record<string, readonly Variable[]>> = {
  'eight-schools': variablesOf(eight.slice(0, 4)),
  again: variablesOf(eight.slice(4, 8)),
  // Chains of the second are shorter, and one of its variables has not converged.
  kidiq: variablesOf(kidiq.slice(0, 2)).map(({ chains, ...rest }) => ({
    ...rest,
    chains: chains.map((values, chain) => values.slice(0, 500 * rest.width).map((value) => value + 9 * chain)),
  })),
}

export const isWarmup = (draw: number) => draw < WARMUP
export const diverges = (chain: number, draw: number) => draw % (7 + chain) === 3

/** Values that were sampled after warmup: one sequence a chain. */
export function sampled({ width, chains }: Variable, index: number): number[][] {
  return chains.map((values) => values.filter((_, i) => i % width === index && !isWarmup(Math.floor(i / width))))
}

export const lengthsOf = (run: string) => {
  const [{ width, chains } = { width: 1, chains: [] }] = RUNS[run] ?? []
  return chains.map((values) => values.length / width)
}

export async function write(backend: StoreBackend, rid: string, variables: readonly Variable[]): Promise<void> {
  const run = await backend.initRun({
    rid,
    variables: variables.map(({ name, width }) => ({ name, dtype: 'float64', shape: width === 1 ? [] : [width] })),
    sampleStats: ['tune', 'diverging'].map((name) => ({ name, dtype: 'bool' })),
  })
  await Promise.all(
    lengthsOf(rid).map(async (length, number) => {
      const chain = await run.initChain(number)
      for (let start = 0; start < length; start += BATCH) {
        const draws = new Map<string, Draws>()
        for (const { name, width, chains } of variables) {
          const data = Float64Array.from(chains[number]?.slice(start * width, (start + BATCH) * width) ?? [])
          draws.set(name, { dtype: 'float64', shape: width === 1 ? [BATCH] : [BATCH, width], data })
        }
        const flags = (of: (draw: number) => boolean): Draws => {
          const data = Uint8Array.from({ length: BATCH }, (_, i) => (of(start + i) ? 1 : 0))
          return { dtype: 'bool', shape: [BATCH], data }
        }
        const stats = new Map([
          ['tune', flags(isWarmup)],
          ['diverging', flags((draw) => diverges(number, draw))],
        ])
        await chain.appendBatch({ start, count: BATCH, draws, stats })
      }
    }),
  )
}
