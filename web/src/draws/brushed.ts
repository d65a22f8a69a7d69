/** Draws of a brush among those that are chosen. */
import type { Part } from './chains.ts'
import type { Brush } from './questions.ts'

/** Values of the brush's draws, in the order of chains, at most `most` of them: then thinned evenly. */
export function brushedValues(
  parts: readonly Part[],
  scalars: readonly (readonly Float64Array[])[],
  brush: Brush,
  most = Number.POSITIVE_INFINITY,
): Float64Array[] {
  const places = parts.map((part) => placesIn(part, brush))
  const total = places.reduce((n, { length }) => n + length, 0)
  const count = Math.min(total, most)
  const found = scalars.map(() => new Float64Array(count))
  let [passed, taken] = [0, 0]
  for (const [i, some] of places.entries()) {
    for (const place of some) {
      // The k-th of all is taken where ⌊k · count / total⌋ rises.
      if (Math.floor(((passed++ + 1) * count) / total) === taken) continue
      for (const [k, values] of found.entries()) values[taken] = scalars[k]?.[i]?.[place] ?? Number.NaN
      taken++
    }
  }
  return found
}

/** Draws of a part, counted from its first. */
function placesIn({ chain, first, stop }: Part, brush: Brush): ArrayLike<number> & Iterable<number> {
  if (brush.kind === 'interval') {
    const from = Math.max(first, brush.start)
    return Array.from({ length: Math.max(0, Math.min(stop, brush.stop) - from) }, (_, i) => from - first + i)
  }
  const at = brush.chains.find((each) => each.chain === chain)?.at ?? new Uint32Array()
  return at.filter((each) => each >= first && each < stop).map((each) => each - first)
}
