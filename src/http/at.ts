/** Lengths of chains as a path names them, `0:1500,1:1490`: a moment of the past, which stays as it was (docs/protocol.md §11). */

import { McbError } from '../core/errors.ts'
import type { ChainState } from '../core/store.ts'
import { isChainNumber } from '../core/wire/run-meta.ts'
import type { StoreRun } from '../runs/backend.ts'
import type { AppContext } from './context.ts'

export interface ChainLength {
  readonly chain: number
  readonly length: number
}

const LENGTHS = /^(0|[1-9]\d{0,9}):(0|[1-9]\d{0,15})(,(0|[1-9]\d{0,9}):(0|[1-9]\d{0,15}))*$/

/**
 * The lengths that the path names, in rising order of chains.
 *
 * @throws McbError `invalid_parameter`
 */
export function lengthsParam(c: AppContext): readonly ChainLength[] {
  const text = c.req.param('lengths') ?? ''
  const lengths = LENGTHS.test(text)
    ? text.split(',').map((part) => {
        const [chain, length] = part.split(':').map(Number)
        return { chain: chain ?? -1, length: length ?? -1 }
      })
    : []
  const isRising = lengths.every(({ chain }, i) => chain > (lengths[i - 1]?.chain ?? -1))
  const isKnown = lengths.every(({ chain, length }) => isChainNumber(chain) && Number.isSafeInteger(length))
  if (lengths.length > 0 && isRising && isKnown) return lengths
  throw new McbError('invalid_parameter', 'a moment is lengths of chains in rising order, such as 0:1500,1:1490')
}

/** Lengths as a path names them. */
export function formatLengths(lengths: readonly ChainLength[]): string {
  return lengths.map(({ chain, length }) => `${chain}:${length}`).join(',')
}

/**
 * The chains at these lengths.
 *
 * @throws McbError `chain_not_found`, and `not_found` for a length that a chain has not reached
 */
export async function statesAt(run: StoreRun, lengths: readonly ChainLength[]): Promise<readonly ChainState[]> {
  const states = await run.chainStates(lengths.map(({ chain }) => chain))
  return states.map((state, i) => {
    const length = lengths[i]?.length ?? 0
    if (length <= state.length) return { ...state, length }
    throw new McbError('not_found', `chain ${state.chain} has ${state.length} draws, not ${length} yet`)
  })
}
