/** An answer to a read, in any form, and the bytes that it may have. */

import type { ColumnSpec } from '../draws/columns.ts'
import type { Bytes } from '../draws/segment.ts'
import { McbError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Selection } from '../selection.ts'

export interface Answer {
  /** Exact number of bytes that `body` will give, where it is known in advance. */
  readonly length?: number
  readonly body: AsyncGenerator<Bytes>
}

/** Judges a selection before a draw is read, by the least bytes that its draws can have. */
export function requireSelectionFits({ columns, slice }: Selection, limits: Limits): void {
  const sizes = columns.map(leastBytes)
  requireAnswerFits(sizes.reduce((a, b) => a + b, 0) * slice.count, limits)
}

/** Least bytes of a draw: numbers have a size, a string takes two bytes, even an empty one, and a word of a shape one. */
function leastBytes(spec: ColumnSpec): number {
  if (spec.kind === 'rigid-numbers') return spec.stride
  if (spec.kind === 'rigid-strings') return spec.elements * 2
  return 1 + (spec.shape?.length ?? 0)
}

export function requireAnswerFits(bytes: number, limits: Limits): void {
  if (bytes <= limits.answerBytes) return
  throw new McbError(
    'payload_too_large',
    `the answer would have at least ${bytes} bytes, the limit is ${limits.answerBytes}; narrow the slice or name fewer variables`,
    { limit: limits.answerBytes },
  )
}
