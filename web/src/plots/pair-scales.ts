/** Scales of a pair of scalars, linear or logarithmic, and the room that marginals take at the edges. */
import type { Cloud } from '../draws/questions.ts'
import { format } from '../paint/number.ts'
import type { Size } from '../paint/painter.ts'
import { type Frame, frameOf, linear, type Scale, type Tick, ticksOf } from '../paint/scale.ts'

/** A logarithmic axis is for scalars that are positive throughout. */
export type AxisKind = 'linear' | 'log'

export interface PairAxis {
  readonly label: string
  readonly kind: AxisKind
}

export interface PairScales {
  readonly frame: Frame
  readonly x: Scale
  readonly y: Scale
}

/** Pixels of the marginals, and those of a plot that has room for them. */
export const EDGE = 44
const ROOM = { width: 300, height: 240 }

export function hasEdges({ width, height }: Size, room: 'full' | 'small'): boolean {
  return room === 'full' && width >= ROOM.width && height >= ROOM.height
}

/** A scale of which the logarithm is linear: its domain is of logarithms to base 10 inside. */
function logarithmic([low, high]: readonly [number, number], range: readonly [number, number]): Scale {
  const inner = linear([Math.log10(low), Math.log10(high)], range)
  return Object.assign((value: number) => inner(Math.log10(value)), {
    domain: [low, high] as const,
    invert: (pixel: number) => 10 ** inner.invert(pixel),
  })
}

function scaleOf(kind: AxisKind, extent: readonly [number, number], range: readonly [number, number]): Scale {
  const [low, high] = extent
  if (kind === 'log' && low > 0 && Number.isFinite(high)) {
    const spread = (high / low) ** 0.03 || 1
    return logarithmic(high > low ? [low / spread, high * spread] : [low / 2, low * 2], range)
  }
  const spread = 0.03 * (high - low)
  return linear([low - spread, high + spread], range)
}

export function pairScales(
  cloud: Pick<Cloud, 'x' | 'y'>,
  kinds: { readonly x: AxisKind; readonly y: AxisKind },
  size: Size,
  room: 'full' | 'small',
): PairScales {
  const edge = hasEdges(size, room) ? EDGE : 0
  const margins =
    room === 'small'
      ? { left: 4, right: 4, top: 4, bottom: 4 }
      : { left: 56, right: 10 + edge, top: 26 + edge, bottom: 36 }
  const frame = frameOf(size, margins)
  return {
    frame,
    x: scaleOf(kinds.x, cloud.x, [frame.left, frame.right]),
    y: scaleOf(kinds.y, cloud.y, [frame.bottom, frame.top]),
  }
}

/** Ticks of powers of ten, with their doubles and halves where there are few; round numbers where there are none. */
export function ticksFor(kind: AxisKind, scale: Scale, most: number): readonly Tick[] {
  const [low, high] = scale.domain
  if (kind === 'linear' || !(low > 0)) return ticksOf(scale, most)
  const first = Math.floor(Math.log10(low))
  const last = Math.ceil(Math.log10(high))
  const decades = Array.from({ length: Math.min(700, last - first + 1) }, (_each, i) => first + i)
  const wanted = decades.flatMap((power) => (decades.length <= 4 ? [1, 2, 5] : [1]).map((each) => each * 10 ** power))
  const inside = wanted.filter((value) => value >= low && value <= high)
  if (inside.length < 2) return ticksOf(scale, most)
  const step = Math.ceil(inside.length / Math.max(2, most))
  return inside.filter((_each, i) => i % step === 0).map((value) => ({ value, label: format(value, value) }))
}
