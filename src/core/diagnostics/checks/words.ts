/** Numbers and lists in the sentences of checks. */

/** A number with so many digits that it is read at once. */
export function figure(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return 'infinite'
  return Math.abs(value) >= 10 ** digits ? String(Math.round(value)) : String(Number(value.toPrecision(digits)))
}

/** An R-hat, with enough digits to tell it from a threshold. */
export const rhatText = (value: number): string => figure(value, 5)

/** A part of a whole as a percentage with two digits. */
export function percent(part: number, whole: number): string {
  const value = (100 * part) / whole
  return `${value === 0 ? '0' : Number(value.toPrecision(2))} %`
}

export function count(number: number, one: string, several = `${one}s`): string {
  return `${number} ${number === 1 ? one : several}`
}

/** Chains that a sentence names. */
const MOST_CHAINS = 5

/** `chain 2`, `chains 1 and 3`, `chains 0, 1, 2, 3, 4 and 7 others`. */
export function chainsText(chains: readonly number[]): string {
  if (chains.length === 1) return `chain ${chains[0]}`
  const isLong = chains.length > MOST_CHAINS + 1
  const named: (number | string)[] = isLong ? chains.slice(0, MOST_CHAINS) : [...chains]
  if (isLong) named.push(`${chains.length - MOST_CHAINS} others`)
  return `chains ${named.slice(0, -1).join(', ')} and ${named.at(-1)}`
}

/** A span of time, to the precision of its size. */
export function span(seconds: number): string {
  if (seconds < 90) return `${figure(seconds, 2)} s`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 48 * 3600) return `${figure(seconds / 3600, 2)} h`
  return `${Math.round(seconds / 86_400)} days`
}
