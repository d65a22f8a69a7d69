/** Python's slices: `slice.indices` for integers of any size. */
import { McbError } from '../errors.ts'

/** Start, stop and step as in Python's `slice(start, stop, step)`; a number must be a safe integer. */
export interface Slice {
  readonly start?: number | bigint | undefined
  readonly stop?: number | bigint | undefined
  readonly step?: number | bigint | undefined
}

/** The iterations `first, first + step, …` of which there are `count`; `first` is 0 when there is none. */
export interface ResolvedSlice {
  readonly first: number
  readonly count: number
  readonly step: bigint
}

const MAX_STEP = 2n ** 63n - 1n

function clamp(value: bigint, low: bigint, high: bigint): bigint {
  return value < low ? low : value > high ? high : value
}

/**
 * The indices that a slice selects from `length` iterations, as CPython's `PySlice_AdjustIndices` computes them.
 *
 * @throws McbError `invalid_slice` when the step is 0 or a bound is not an integer
 */
export function resolveSlice(slice: Slice, length: number): ResolvedSlice {
  const step = clamp(toBigInt(slice.step ?? 1), -MAX_STEP, MAX_STEP)
  if (step === 0n) throw new McbError('invalid_slice', 'the step of a slice cannot be 0')
  const n = BigInt(length)
  const [low, high] = step > 0n ? [0n, n] : [-1n, n - 1n]
  const bound = (value: number | bigint | undefined, absent: bigint) => {
    if (value === undefined) return absent
    const index = toBigInt(value)
    return clamp(index < 0n ? index + n : index, low, high)
  }
  const start = bound(slice.start, step > 0n ? low : high)
  const stop = bound(slice.stop, step > 0n ? high : low)
  const span = step > 0n ? stop - start : start - stop
  const stride = step > 0n ? step : -step
  const count = span <= 0n ? 0 : Number((span + stride - 1n) / stride)
  return { first: count === 0 ? 0 : Number(start), count, step }
}

/** The half-open range of iterations that an answer touches, in rising order. */
export function rangeOf(slice: ResolvedSlice): { from: number; to: number } {
  if (slice.count === 0) return { from: 0, to: 0 }
  if (slice.count === 1) return { from: slice.first, to: slice.first + 1 }
  const last = slice.first + (slice.count - 1) * Number(slice.step)
  return { from: Math.min(slice.first, last), to: Math.max(slice.first, last) + 1 }
}

/** Some consecutive draws of a slice: `count` of them, or all the rest, behind the first `done`. */
export function subSlice(slice: ResolvedSlice, done: number, count = slice.count - done): ResolvedSlice {
  const taken = Math.min(count, slice.count - done)
  if (taken <= 0) return { first: 0, count: 0, step: slice.step }
  return { first: done === 0 ? slice.first : slice.first + done * Number(slice.step), count: taken, step: slice.step }
}

/** The slice that selects these iterations again, of the same chain or a longer one. */
export function sliceOf(resolved: ResolvedSlice): Slice {
  const { from, to } = rangeOf(resolved)
  if (resolved.step > 0n || resolved.count === 0) return { start: from, stop: to, step: resolved.step }
  return { start: resolved.first, stop: from === 0 ? undefined : from - 1, step: resolved.step }
}

function toBigInt(value: number | bigint): bigint {
  if (typeof value === 'number' && !Number.isInteger(value)) {
    throw new McbError('invalid_slice', `${value} is not an integer`)
  }
  return BigInt(value)
}
