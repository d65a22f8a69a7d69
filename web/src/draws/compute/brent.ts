/** Roots of functions (Brent 1973, Algorithms for minimization without derivatives, chapter 4), with SciPy's steps and tolerances. */

const ABSOLUTE = 2e-12
const RELATIVE = 4 * Number.EPSILON
const MOST_STEPS = 100

interface Point {
  readonly x: number
  readonly f: number
}

/** Lengths of the present step and of the one before it. */
interface Steps {
  readonly now: number
  readonly before: number
}

/** A root between `low` and `high`; undefined where the function has the same sign at both, or no value. */
export function rootBetween(f: (x: number) => number, low: number, high: number): number | undefined {
  const pointAt = (x: number): Point => ({ x, f: f(x) })
  let [before, now] = [pointAt(low), pointAt(high)]
  if (!(before.f * now.f < 0)) return [before, now].find((end) => end.f === 0)?.x
  // The root is between `now` and `other`.
  let other = before
  let steps = { now: 0, before: 0 }
  for (let i = 0; i < MOST_STEPS; i++) {
    if (before.f * now.f < 0) {
      other = before
      steps = { now: now.x - before.x, before: now.x - before.x }
    }
    if (Math.abs(other.f) < Math.abs(now.f)) [before, now, other] = [now, other, now]
    const tolerance = (ABSOLUTE + RELATIVE * Math.abs(now.x)) / 2
    const half = (other.x - now.x) / 2
    if (now.f === 0 || Math.abs(half) < tolerance) return now.x
    steps = nextSteps(before, now, other, steps, tolerance)
    before = now
    now = pointAt(now.x + Math.sign(steps.now || half) * Math.max(tolerance, Math.abs(steps.now)))
    if (Number.isNaN(now.f)) return undefined
  }
  return now.x
}

/** A step by interpolation where that is short enough, else by half of the interval. */
function nextSteps(before: Point, now: Point, other: Point, steps: Steps, tolerance: number): Steps {
  const half = (other.x - now.x) / 2
  if (Math.abs(steps.before) > tolerance && Math.abs(now.f) < Math.abs(before.f)) {
    const tried = interpolated(before, now, other)
    const longest = Math.min(Math.abs(steps.before), 3 * Math.abs(half) - tolerance)
    if (2 * Math.abs(tried) < longest) return { now: tried, before: steps.now }
  }
  return { now: half, before: half }
}

/** The step of a secant, or of an inverse quadratic through three points. */
function interpolated(before: Point, now: Point, other: Point): number {
  if (before.x === other.x) return (-now.f * (now.x - before.x)) / (now.f - before.f)
  const slope = (before.f - now.f) / (before.x - now.x)
  const otherSlope = (other.f - now.f) / (other.x - now.x)
  return (-now.f * (other.f * otherSlope - before.f * slope)) / (otherSlope * slope * (other.f - before.f))
}
