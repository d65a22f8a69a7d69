/** The few scalars that rank highest in something. */

export interface Ranked {
  /** Position of the scalar among all that are judged. */
  readonly row: number
  readonly value: number
}

/** Scalars that a check names. */
export const MOST_NAMED = 5

/** Puts a scalar among those that rank highest, if it belongs there; of equals, the first stays before the later. */
export function rank(list: Ranked[], entry: Ranked, by: (value: number) => number): void {
  const height = by(entry.value)
  const last = list[MOST_NAMED - 1]
  if (Number.isNaN(height) || (last !== undefined && by(last.value) >= height)) return
  const place = list.findIndex((each) => by(each.value) < height)
  list.splice(place < 0 ? list.length : place, 0, entry)
  if (list.length > MOST_NAMED) list.pop()
}
