/** Finding the run that a request names, and holding it to the registration that the client means. */

import { McbError } from '../core/errors.ts'
import type { StoreChain, StoreRun } from '../runs/backend.ts'
import { uploadsOf } from '../runs/upload/uploads.ts'
import type { AppContext } from './context.ts'

export const REGISTRATION = 'Mcb-Registration'

interface RunOptions {
  /** Finds the part of the run that the request names: a resource that is missing comes before a precondition that fails. */
  readonly resource?: (run: StoreRun) => Promise<unknown>
}

/**
 * Calls `use` with the run, which may be one that was seen before: when the store then says that it is gone, the run is
 * looked up afresh and `use` called again.
 *
 * @throws McbError `run_not_found`, `chain_not_found`, `run_replaced`
 */
export async function withRun<T>(
  c: AppContext,
  rid: string,
  options: RunOptions,
  use: (run: StoreRun) => Promise<T>,
): Promise<T> {
  const backend = c.get('backend')
  const seen = await backend.getRunUnchecked(rid)
  if (seen !== undefined && isMeant(c, seen)) {
    try {
      return await use(seen)
    } catch (error) {
      if (!(error instanceof McbError) || error.code !== 'run_not_found') throw error
    }
  }
  const run = (await backend.getRun(rid)) ?? (await uploadsOf(backend).settled(rid))
  if (run === undefined) throw runNotFound(rid)
  if (isMeant(c, run)) return use(run)
  await options.resource?.(run)
  throw new McbError('run_replaced', `run "${rid}" was deleted and registered again`)
}

function isMeant(c: AppContext, run: StoreRun): boolean {
  const expected = c.req.header(REGISTRATION)
  return expected === undefined || expected === run.registration
}

export function runNotFound(rid: string): McbError {
  return new McbError('run_not_found', `there is no run "${rid}"`)
}

/** @throws McbError `chain_not_found` */
export async function requireChain(run: StoreRun, number: number): Promise<StoreChain> {
  const chain = await run.getChain(number)
  if (chain === undefined) throw new McbError('chain_not_found', `run "${run.rid}" has no chain ${number}`)
  return chain
}
