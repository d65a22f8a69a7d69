/** Answers with traces: of draws that are here, or of the server where many would have to be fetched first. */
import type { Part } from './chains.ts'
import { spanOf, traceOf } from './compute/trace.ts'
import type { Desk } from './desk.ts'
import type { Answer, Ask, ScalarRef, TracedChain } from './questions.ts'
import { serverTraces } from './server-trace.ts'
import type { Steps } from './turns.ts'

/** Values that are fetched before something is seen. */
const MOST_FETCHED = 200_000
/** Values that are fetched behind what is seen, so that the next look needs no server. */
const MOST_AHEAD = 5_000_000
/** A trace of the server rests for so many times the time that it took. */
const REST = 10

export async function answerTrace(desk: Desk, { scalars, choice, buckets }: Ask<'trace'>): Promise<Answer<'trace'>> {
  return tracesOf(desk, scalars, await desk.parts(choice), buckets)
}

/** Traces of scalars, for each one those of each part. */
export async function tracesOf(
  desk: Desk,
  scalars: readonly ScalarRef[],
  parts: readonly Part[],
  buckets: number,
): Promise<readonly (readonly TracedChain[])[]> {
  const { loader, most, ahead } = desk.room
  const chosen = scalars.map((ref) => ({ spec: desk.spec(ref), element: ref.element }))
  const wanted = desk.wanted(chosen, parts)
  const total = wanted.reduce((n, { start, stop }) => n + stop - start, 0)
  const missing = loader.missing(wanted)
  if (total > most || missing > MOST_FETCHED) {
    const traces = await rested(desk, scalars, parts, buckets, () => serverTraces(desk, chosen, parts, buckets))
    if (missing <= MOST_AHEAD && total <= most) ahead.want(wanted)
    return traces
  }
  const views = await loader.load(wanted, desk.waiting)
  return desk.compute(traced(scalars.length, parts, views, buckets))
}

function* traced(
  scalars: number,
  parts: readonly Part[],
  views: readonly Float64Array<ArrayBuffer>[],
  buckets: number,
): Steps<TracedChain[][]> {
  const span = spanOf(parts)
  const traces: TracedChain[][] = []
  for (let scalar = 0; scalar < scalars; scalar++) {
    const chains: TracedChain[] = []
    for (const [i, part] of parts.entries()) {
      const values = views[scalar * parts.length + i]
      if (values !== undefined) chains.push(traceOf(part, values, span, buckets))
      yield
    }
    traces.push(chains)
  }
  return traces
}

/** A trace of the server, or the one before where that was made a moment ago. */
async function rested(
  desk: Desk,
  scalars: readonly ScalarRef[],
  parts: readonly Part[],
  buckets: number,
  ask: () => Promise<TracedChain[][]>,
): Promise<readonly (readonly TracedChain[])[]> {
  const { traces } = desk.room.known
  const name = JSON.stringify([scalars, buckets, parts.map(({ chain, first }) => [chain, first]), windowOf(parts)])
  const before = traces.get(name)
  if (before !== undefined && performance.now() < before.until) return copied(before.traces)
  const began = performance.now()
  const fresh = await ask()
  const now = performance.now()
  traces.set(name, { traces: fresh, until: now + REST * (now - began) })
  return copied(fresh)
}

/** Ends of parts that are not the chain's own: they do not move while it grows. */
function windowOf(parts: readonly Part[]): (number | null)[] {
  return parts.map(({ stop, length }) => (stop === length ? null : stop))
}

/** Answers are given away: what is kept is another. */
function copied(traces: readonly (readonly TracedChain[])[]): TracedChain[][] {
  return traces.map((chains) =>
    chains.map((chain) => ({ ...chain, at: chain.at.slice(), values: chain.values.slice() })),
  )
}
