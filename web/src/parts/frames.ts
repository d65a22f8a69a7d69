/** One animation frame for all that is painted, cut short so that the page stays responsive. */

/** Milliseconds of painting in a frame; what is left comes in the next one. */
const BUDGET_MS = 8

const due = new Set<() => void>()
let isAsked = false

/** Paints in the next frame; a painting that is due already is not painted twice. */
export function paintSoon(paint: () => void): void {
  due.add(paint)
  if (isAsked) return
  isAsked = true
  requestAnimationFrame(paintDue)
}

export function paintNever(paint: () => void): void {
  due.delete(paint)
}

function paintDue(begun: number): void {
  isAsked = false
  for (const paint of due) {
    due.delete(paint)
    paint()
    if (performance.now() - begun > BUDGET_MS && due.size > 0) {
      isAsked = true
      requestAnimationFrame(paintDue)
      return
    }
  }
}
