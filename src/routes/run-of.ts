/** Finding the run that a request names, and holding it to the registration that the client means. */
import type { StoreRun } from '../backends/stored.ts'
import { McbError } from '../core/errors.ts'
import type { AppContext } from './context.ts'

export const REGISTRATION = 'Mcb-Registration'

interface RunOptions {
  /** Chain that must exist; checked before the registration, as a resource comes before a precondition. */
  readonly chain?: number
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
  const run = await backend.getRun(rid)
  if (run === undefined) throw runNotFound(rid)
  if (isMeant(c, run)) return use(run)
  if (options.chain !== undefined && (await run.getChain(options.chain)) === undefined) {
    throw chainNotFound(rid, options.chain)
  }
  throw new McbError('run_replaced', `run "${rid}" was deleted and registered again`)
}

function isMeant(c: AppContext, run: StoreRun): boolean {
  const expected = c.req.header(REGISTRATION)
  return expected === undefined || expected === run.registration
}

export function runNotFound(rid: string): McbError {
  return new McbError('run_not_found', `there is no run "${rid}"`)
}

export function chainNotFound(rid: string, chain: number): McbError {
  return new McbError('chain_not_found', `run "${rid}" has no chain ${chain}`)
}
