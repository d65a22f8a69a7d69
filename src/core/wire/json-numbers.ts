/** Numbers of JSON as they are written: integers to the last digit, floats as the nearest double. */

/** Characters up to which a number without an exponent is a double to the last digit, and an integer only if its double is. */
const EXACT_CHARACTERS = 15
/** Characters of a number that is looked at as an integer: none of 64 bits needs so many. */
const MOST_CHARACTERS = 400
/** Digits that an integer of 64 bits has at most. */
const MOST_DIGITS = 20

const NUMBER = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d{1,9}))?$/
const FLOATS: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
])

/** The integer that a number stands for, which may be written as `1.0` or `1e3`; undefined where it is none of 64 bits. */
export function wholeOf(number: string): number | bigint | undefined {
  if (number.length <= EXACT_CHARACTERS && !/[eE]/.test(number)) {
    const value = Number(number)
    return Number.isInteger(value) ? value : undefined
  }
  if (number.length > MOST_CHARACTERS) return undefined
  const [, sign, whole = '', fraction = '', power = '0'] = NUMBER.exec(number) ?? []
  if (sign === undefined) return undefined
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const kept = digits.replace(/0+$/, '')
  if (kept === '') return 0
  const zeros = Number(power) - fraction.length + digits.length - kept.length
  if (zeros < 0 || kept.length + zeros > MOST_DIGITS) return undefined
  return BigInt(`${sign}${kept}${'0'.repeat(zeros)}`)
}

/** The integer of a decimal string. */
export function wholeOfText(text: string): bigint | undefined {
  return text.length <= MOST_DIGITS + 1 && /^-?(0|[1-9]\d*)$/.test(text) ? BigInt(text) : undefined
}

/** A number as a double; undefined where it is beyond the largest one. */
export function floatOf(number: string): number | undefined {
  const value = Number(number)
  return Number.isFinite(value) ? value : undefined
}

/** One of the three floats that JSON writes as strings. */
export function namedFloat(text: string): number | undefined {
  return FLOATS.get(text)
}

/** True for a text that would be a number without its quotes. */
export function isNumber(text: string): boolean {
  return text.length <= MOST_CHARACTERS && NUMBER.test(text)
}
