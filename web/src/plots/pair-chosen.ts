/** Draws of a pair that are chosen: those within an area, and those that a brush of another plot has. */
import type { Brush, Cloud } from '../draws/questions.ts'
import type { PairScales } from './pair-scales.ts'

/** Values of both scalars, ends included. */
export interface Area {
  readonly x: readonly [number, number]
  readonly y: readonly [number, number]
}

type Points = NonNullable<Cloud['points']>

export function areaOf(
  { x0, y0, x1, y1 }: { readonly x0: number; readonly y0: number; readonly x1: number; readonly y1: number },
  { x, y }: Pick<PairScales, 'x' | 'y'>,
): Area {
  const ordered = (a: number, b: number): readonly [number, number] => (a <= b ? [a, b] : [b, a])
  return { x: ordered(x.invert(x0), x.invert(x1)), y: ordered(y.invert(y0), y.invert(y1)) }
}

/** Draws within the area as all plots understand them; undefined when there is none. */
export function brushOf(points: Points, { x, y }: Area): Brush | undefined {
  const found = new Map<number, number[]>()
  for (let i = 0; i < points.x.length; i++) {
    const [px, py] = [points.x[i] as number, points.y[i] as number]
    if (!(px >= x[0] && px <= x[1] && py >= y[0] && py <= y[1])) continue
    const chain = points.chain[i] as number
    const list = found.get(chain) ?? []
    found.set(chain, list)
    list.push(points.at[i] as number)
  }
  if (found.size === 0) return undefined
  return { kind: 'draws', chains: [...found].map(([chain, at]) => ({ chain, at: Uint32Array.from(at).sort() })) }
}

/** Points that the brush lights up. */
export function chosenOf(
  points: Points | undefined,
  brush: Brush,
): { readonly x: Float64Array; readonly y: Float64Array } | undefined {
  if (points === undefined) return undefined
  const isChosen = chosenIn(points, brush)
  return { x: points.x.filter((_value, i) => isChosen(i)), y: points.y.filter((_value, i) => isChosen(i)) }
}

function chosenIn({ chain, at }: Points, brush: Brush): (i: number) => boolean {
  if (brush.kind === 'interval') {
    return (i) => (at[i] as number) >= brush.start && (at[i] as number) < brush.stop
  }
  const sets = new Map(brush.chains.map((each) => [each.chain, new Set(each.at)]))
  return (i) => sets.get(chain[i] as number)?.has(at[i] as number) ?? false
}
