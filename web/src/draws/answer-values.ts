/** Answers with values as they are: of scalars chain after chain, and rows of pictures. */

import { densityIn, isWhole, ranksOf } from './answer-distribution.ts'
import { tracesOf } from './answer-trace.ts'
import type { Part } from './chains.ts'
import { areFinite, sortedOf } from './compute/sorted.ts'
import type { Desk } from './desk.ts'
import type { Answer, Ask, Spark } from './questions.ts'
import type { Steps } from './turns.ts'

export async function answerValues(desk: Desk, { scalars, choice, most }: Ask<'values'>): Promise<Answer<'values'>> {
  const parts = await desk.parts(choice)
  const draws = await desk.draws(scalars, parts)
  return desk.compute(thinned(parts, draws, most))
}

function* thinned(parts: readonly Part[], draws: readonly Float64Array[][], most: number): Steps<Answer<'values'>> {
  const chains = []
  for (const [i, { chain, first, stop }] of parts.entries()) {
    const length = stop - first
    const count = Math.min(length, Math.max(0, Math.floor(most)))
    const places = Float64Array.from({ length: count }, (_, k) => Math.floor((k * length) / count))
    const values: Float64Array[] = []
    for (const scalar of draws) {
      const all = scalar[i] ?? new Float64Array()
      values.push(places.map((place) => all[place] as number))
      yield
    }
    chains.push({ chain, at: places.map((place) => first + place), values })
  }
  return { chains, isThinned: parts.some(({ first, stop }) => stop - first > most) }
}

/** Points of small densities and of small differences of ranks, and bins of ranks. */
const SMALL = { density: 100, ranks: { bins: 20, points: 50 } } as const

/** Values that are fetched for rows: they are many, and soon scrolled away. */
const MOST_IN_ROWS = 4e6

export async function answerSparks(desk: Desk, { scalars, choice, width }: Ask<'sparks'>): Promise<Answer<'sparks'>> {
  const parts = await desk.parts(choice)
  const { parts: even, draws } = await desk.moment(choice)
  const total = scalars.length * parts.reduce((n, { first, stop }) => n + stop - first, 0)
  const isFetched = total <= Math.min(MOST_IN_ROWS, desk.room.most)
  // Draws that are here already are traced without the server.
  if (isFetched) await desk.draws(scalars, parts)
  const traces = await tracesOf(desk, scalars, parts, Math.max(1, Math.ceil(width / 2)))
  if (!isFetched) return traces.map((trace) => ({ trace }))
  const values = await desk.draws(scalars, even)
  const sparks: Spark[] = []
  for (const [i, scalar] of scalars.entries()) {
    const pictured = pictures(even, values[i] ?? [], draws, isWhole(desk, scalar))
    sparks.push({ trace: traces[i] ?? [], ...(await desk.compute(pictured)) })
  }
  return sparks
}

function* pictures(
  parts: readonly Part[],
  chains: readonly Float64Array[],
  draws: number,
  whole: boolean,
): Steps<Omit<Spark, 'trace'>> {
  const sorted = chains.every(areFinite) ? yield* sortedOf(chains) : undefined
  const density = yield* densityIn(parts, chains, { points: SMALL.density, isWhole: whole, sorted })
  // A chain that is alone has all ranks.
  if (parts.length < 2) return { density }
  return { density, ranks: yield* ranksOf(parts, chains, draws, { ...SMALL.ranks, sorted }) }
}
