/** Pauses between attempts at what has failed before. */

/** A pause that doubles each time, up to the longest, with jitter, in milliseconds. */
export function doubled(first: number, times: number, longest: number): number {
  return Math.min(longest, first * 2 ** times) * (0.5 + Math.random() / 2)
}
