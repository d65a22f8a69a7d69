/** Chains that count, as the address has them: none named is all. */

/** The chains after one was switched on or off; all when that leaves none, or makes the choice complete. */
export function toggled(chosen: readonly number[], all: readonly number[], chain: number): readonly number[] {
  const before = chosen.length === 0 ? all : chosen
  const after = all.filter((each) => (each === chain ? !before.includes(each) : before.includes(each)))
  return after.length === all.length ? [] : after
}

/** The chain alone; all of them when it was alone already. */
export function alone(chosen: readonly number[], chain: number): readonly number[] {
  return chosen.length === 1 && chosen[0] === chain ? [] : [chain]
}
