/**
 * Numbers as text in bytes: the shortest digits that read back as the same number, which `String` of a float64 gives as well,
 * several times faster.
 *
 * A float x of a usual size is scaled to x · 10^k, an integer of 17 digits (9 for float32) and a fraction. Numbers nearer to it than
 * half of the gap to its neighbours read as x; of the multiples of 1, 10, 100 … in there, the largest power gives the fewest digits
 * (Steele and White 1990). The engine decides where the arithmetic of doubles cannot tell.
 */

import type { Bytes } from '../../draws/segment.ts'

/** Bytes that a number takes at most. */
export const NUMBER_BYTES = 32

const ZERO = 48
const POINT = 46
const MINUS = 45

/** Powers of ten that a double holds exactly, and their halves for exact products (Veltkamp 1968). */
const MOST_POWER = 22
const POWERS = Float64Array.from({ length: MOST_POWER + 1 }, (_, k) => Number(`1e${k}`))
const SPLITTER = 134_217_729
const POWERS_HIGH = POWERS.map((power) => high(power))
const POWERS_LOW = POWERS.map((power, k) => power - (POWERS_HIGH[k] ?? 0))

function high(x: number): number {
  const c = SPLITTER * x
  return c - (c - x)
}

/** Digits of 0 to 99, two bytes each. */
const PAIRS = Uint8Array.from({ length: 200 }, (_, i) => ZERO + (i % 2 === 0 ? Math.floor(i / 20) : (i >> 1) % 10))

/** Uncertainty of sums of doubles here, with a wide margin: what is nearer to a boundary is left to the engine. */
const DOUBT = 1e-5
const E8 = 100_000_000
const E9 = 1_000_000_000

/** Sizes for which there is an exact power of ten. */
const LEAST_DOUBLE = 1e-5
const MOST_DOUBLE = 1e16
const LEAST_SINGLE = 1e-5
const MOST_SINGLE = 1e8

const scratch = new Float64Array(1)
const words = new Uint32Array(scratch.buffer)

/** 2^e for `e` from -128 to 127. */
const TWOS = Float64Array.from({ length: 256 }, (_, i) => 2 ** (i - 128))

/** Binary exponent of a positive number; undefined, as -1024, for a power of two, whose gap below is half of that above. */
function exponentOf(x: number): number {
  scratch[0] = x
  const word = words[1] ?? 0
  if ((words[0] ?? 0) === 0 && (word & 0xfffff) === 0) return POWER_OF_TWO
  return (word >>> 20) - 1023
}
const POWER_OF_TWO = -1024

/** Digits before the decimal point of a positive number within 10^-5 and 10^17, or one too few. */
function integerDigits(exponent: number): number {
  return Math.floor(exponent * 0.30102999566398) + 1
}

/** Writes a float64; an integer has `.0` behind it, so that no reader takes the column for one of integers. */
export function writeFloat64(out: Bytes, at: number, x: number): number {
  const size = Math.abs(x)
  if (!(size >= LEAST_DOUBLE && size < MOST_DOUBLE)) return writeSeldom(out, at, x, String(x))
  if (Math.floor(size) === size) return writeInteger(out, at, x, FRACTION)
  const exponent = exponentOf(size)
  if (exponent === POWER_OF_TWO) return writeSeldom(out, at, x, String(x))
  let k = 17 - integerDigits(exponent)
  let product = size * (POWERS[k] ?? 0)
  if (product >= 1e17) product = size * (POWERS[--k] ?? 0)
  const sizeHigh = high(size)
  const sizeLow = size - sizeHigh
  const powerHigh = POWERS_HIGH[k] ?? 0
  const powerLow = POWERS_LOW[k] ?? 0
  // The part that the product of doubles has lost (Dekker 1971).
  const lost = sizeHigh * powerHigh - product + sizeHigh * powerLow + sizeLow * powerHigh + sizeLow * powerLow
  let front = Math.floor(product / E8)
  let back = product - front * E8 + lost
  // The quotient was rounded, and what was lost is not in it yet.
  const over = Math.floor(back / E8)
  front += over
  back -= over * E8
  const kept = nearest(back, (TWOS[exponent - 53 + 128] ?? 0) * (POWERS[k] ?? 0))
  if (kept < 0 || front < E8 || front >= E9 - 1) return writeSeldom(out, at, x, String(x))
  const begin = x < 0 ? writeText(out, at, '-') : at
  return writeDigits(out, begin, 17 - k, front, kept)
}

/** Writes a float32 with the digits that tell it from other float32, and `.0` behind an integer. */
export function writeFloat32(out: Bytes, at: number, x: number): number {
  const size = Math.abs(x)
  if (!(size >= LEAST_SINGLE && size < MOST_SINGLE)) return writeSeldom(out, at, x, shortestFloat32(x))
  const exponent = exponentOf(size)
  if (exponent === POWER_OF_TWO) return writeSeldom(out, at, x, shortestFloat32(x))
  let k = 9 - integerDigits(exponent)
  let scaled = size * (POWERS[k] ?? 0)
  if (scaled >= E9) scaled = size * (POWERS[--k] ?? 0)
  const kept = nearest(scaled, (TWOS[exponent - 24 + 128] ?? 0) * (POWERS[k] ?? 0))
  if (kept < E8 || kept >= E9) return writeSeldom(out, at, x, shortestFloat32(x))
  if (x < 0) out[at++] = MINUS
  return writeDigits(out, at, 9 - k, kept, 0)
}

/**
 * The number nearer to `value` than `gap` that has the most zeros at its end, and of these the one nearest to it; -1 where that
 * cannot be told for certain.
 */
function nearest(value: number, gap: number): number {
  let kept = Math.round(value)
  let off = Math.abs(kept - value)
  let unit = 1
  for (let wider = 10; wider <= E8; wider *= 10) {
    const rounded = Math.round(value / wider) * wider
    const distance = Math.abs(rounded - value)
    if (Math.abs(distance - gap) < DOUBT) return -1
    if (distance > gap) break
    kept = rounded
    off = distance
    unit = wider
  }
  return Math.abs(off - unit / 2) < DOUBT ? -1 : kept
}

/** Writes digits, nine and eight of them, without the zeros at their end; `point` of all are before the decimal point. */
function writeDigits(out: Bytes, start: number, point: number, nine: number, eight: number): number {
  if (eight === E8) return writeDigits(out, start, point, nine + 1, 0)
  let at = start
  if (point <= 0) {
    out[at++] = ZERO
    out[at++] = POINT
    for (let i = point; i < 0; i++) out[at++] = ZERO
    return withoutZeros(out, at, writeSeventeen(out, at, nine, eight))
  }
  const end = writeSeventeen(out, at + 1, nine, eight)
  const place = at + point
  for (; at < place; at++) out[at] = out[at + 1] ?? 0
  out[place] = POINT
  return withoutZeros(out, place + 2, end)
}

function writeSeventeen(out: Bytes, start: number, nine: number, eight: number): number {
  const first = (nine / E8) | 0
  out[start] = ZERO + first
  writeEight(out, start + 1, nine - first * E8)
  if (eight === 0) return start + 9
  writeEight(out, start + 9, eight)
  return start + 17
}

function writeEight(out: Bytes, at: number, value: number): void {
  const front = (value / 10_000) | 0
  writeFour(out, at, front)
  writeFour(out, at + 4, (value - front * 10_000) | 0)
}

function writeFour(out: Bytes, at: number, value: number): void {
  const front = (value / 100) | 0
  const back = value - front * 100
  out[at] = PAIRS[front << 1] ?? 0
  out[at + 1] = PAIRS[(front << 1) + 1] ?? 0
  out[at + 2] = PAIRS[back << 1] ?? 0
  out[at + 3] = PAIRS[(back << 1) + 1] ?? 0
}

/** The end of digits without the zeros behind `least`. */
function withoutZeros(out: Bytes, least: number, from: number): number {
  let end = from
  while (end > least && out[end - 1] === ZERO) end--
  return end
}

/** Text behind an integer that is a float. */
export const FRACTION = '.0'

/** Writes an integer within ±2^53, and what comes behind it. */
export function writeInteger(out: Bytes, start: number, x: number, behind: '' | typeof FRACTION = ''): number {
  let at = start
  let size = x
  if (x < 0) {
    out[at++] = MINUS
    size = -x
  }
  at = writeNatural(out, at, size)
  if (behind === '') return at
  out[at] = POINT
  out[at + 1] = ZERO
  return at + 2
}

function writeNatural(out: Bytes, at: number, size: number): number {
  if (size < 10) {
    out[at] = ZERO + size
    return at + 1
  }
  if (size >= E8) {
    const front = Math.floor(size / E8)
    const behind = writeNatural(out, at, front)
    writeEight(out, behind, size - front * E8)
    return behind + 8
  }
  let digits = 2
  for (let power = 100; power <= size; power *= 10) digits++
  let rest = size
  for (let i = at + digits - 1; i >= at; i--) {
    const front = (rest / 10) | 0
    out[i] = ZERO + (rest - front * 10)
    rest = front
  }
  return at + digits
}

/** Writes what is seldom: a number that is not finite, zero, and one that is very large or small, of which `text` has the digits. */
function writeSeldom(out: Bytes, at: number, x: number, text: string): number {
  if (x === 0) return writeText(out, at, Object.is(x, -0) ? '-0.0' : '0.0')
  if (x === Number.POSITIVE_INFINITY) return writeText(out, at, 'inf')
  if (x === Number.NEGATIVE_INFINITY) return writeText(out, at, '-inf')
  return writeText(out, at, /^-?\d+$/.test(text) ? `${text}.0` : text)
}

/** Writes text of ASCII. */
export function writeText(out: Bytes, start: number, text: string): number {
  let at = start
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i)
  return at
}

/**
 * The decimal of the fewest digits that rounds to a float32. Above a power of two there is more room than below, so that the decimal
 * next to the nearest one may do as well.
 */
function shortestFloat32(x: number): string {
  const unit = 10 ** Math.floor(Math.log10(Math.abs(x)))
  for (let digits = 1; digits < 9; digits++) {
    const above = Math.sign(x) * unit * 10 ** (1 - digits) * 0.5
    for (const near of [x, x + above]) {
      const decimal = Number(near.toPrecision(digits))
      if (Math.fround(decimal) === x) return String(decimal)
    }
  }
  return String(Number(x.toPrecision(9)))
}
