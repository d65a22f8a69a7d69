/** Memory for answers that are made without a server. */
import type { Room } from '../../src/core/formats/measure.ts'

/** A room that gives so much to each that asks: as often as it is asked, or `times`. */
export function roomFor(times = Number.POSITIVE_INFINITY): Room & { held: number } {
  let left = times
  return {
    held: 0,
    take(bytes) {
      if (left-- <= 0) return false
      this.held += bytes
      return true
    },
    give(bytes) {
      this.held -= bytes
    },
  }
}
