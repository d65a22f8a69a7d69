/** Answers with the draws within an area of two scalars. */
import type { Desk } from './desk.ts'
import type { Ask, Brush } from './questions.ts'
import type { Steps } from './turns.ts'

export async function answerWithin(desk: Desk, ask: Ask<'within'>): Promise<Brush | null> {
  const { parts } = await desk.moment(ask.choice)
  const [xs = [], ys = []] = await desk.draws([ask.x, ask.y], parts)
  return desk.compute(
    (function* (): Steps<Brush | null> {
      const chains = []
      for (const [i, { chain, first }] of parts.entries()) {
        const at = placesIn(xs[i] ?? new Float64Array(), ys[i] ?? new Float64Array(), ask.area)
        if (at.length > 0) chains.push({ chain, at: Uint32Array.from(at, (place) => first + place) })
        yield
      }
      return chains.length === 0 ? null : { kind: 'draws', chains }
    })(),
  )
}

function placesIn(xs: Float64Array, ys: Float64Array, { x, y }: Ask<'within'>['area']): number[] {
  const found: number[] = []
  for (let i = 0; i < xs.length; i++) {
    const [px, py] = [xs[i] as number, ys[i] as number]
    if (px >= x[0] && px <= x[1] && py >= y[0] && py <= y[1]) found.push(i)
  }
  return found
}
