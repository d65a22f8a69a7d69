/** Linear scales, their ticks, and the room that a plot's axes leave. */
import { nice, tickIncrement, ticks } from 'd3-array'
import { format } from './number.ts'
import type { Size } from './painter.ts'

export interface Scale {
  readonly domain: readonly [number, number]
  /** Pixel of a value. */
  (value: number): number
  /** Value of a pixel. */
  readonly invert: (pixel: number) => number
}

/** A domain of no width is widened, so that one value lies in the middle. */
export function linear(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const [low, high] = widened(domain)
  const [from, to] = range
  const slope = (to - from) / (high - low)
  return Object.assign((value: number) => from + (value - low) * slope, {
    domain: [low, high] as const,
    invert: (pixel: number) => low + (pixel - from) / slope,
  })
}

function widened([low, high]: readonly [number, number]): readonly [number, number] {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1]
  if (high > low && Number.isFinite(high - low)) return [low, high]
  const half = Math.abs(low) * 1e-3 || 0.5
  return [low - half, low + half]
}

/** The domain that ends at round numbers. */
export function niceDomain([low, high]: readonly [number, number], count = 5): readonly [number, number] {
  const [start, stop] = nice(...widened([low, high]), count)
  return [start, stop]
}

/** Least and greatest of finite values; 0 to 1 where there is none. */
export function extentOf(...lists: readonly ArrayLike<number>[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      const value = list[i] as number
      if (!Number.isFinite(value)) continue
      if (value < low) low = value
      if (value > high) high = value
    }
  }
  return low > high ? [0, 1] : [low, high]
}

export interface Tick {
  readonly value: number
  readonly label: string
}

/** Ticks at round numbers within the domain, with as many digits as tell them apart. */
export function ticksOf({ domain: [low, high] }: Pick<Scale, 'domain'>, count: number): readonly Tick[] {
  const values = ticks(low, high, count)
  const step = tickIncrement(low, high, count)
  const size = step < 0 ? -1 / step : step
  return values.map((value) => ({ value, label: format(value, size) }))
}

/** The inside of a plot, between its axes. */
export interface Frame {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
  readonly width: number
  readonly height: number
}

export interface Margins {
  readonly left?: number
  readonly top?: number
  readonly right?: number
  readonly bottom?: number
}

export function frameOf(size: Size, { left = 44, top = 8, right = 10, bottom = 32 }: Margins = {}): Frame {
  const width = Math.max(1, size.width - left - right)
  const height = Math.max(1, size.height - top - bottom)
  return { left, top, right: left + width, bottom: top + height, width, height }
}
