/** The length that a run is to have, as its facts tell. */

/** The draws of each chain, warmup included, that a run is to have. */
export function expectedOf(facts: Readonly<Record<string, unknown>>): number | undefined {
  const { draws, warmup = 0 } = Object(facts.expected)
  return isCount(draws) && isCount(warmup) ? draws + warmup : undefined
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
