/** Draws of a run object that lie in a bucket: their keys, and reading them. */
import { McbError } from '../../core/errors.ts'
import type { Objects } from '../../objects/objects.ts'
import { readParts } from '../../objects/parts.ts'
import type { SqlDriver } from '../../sql/program.ts'
import { ridOf } from '../registration.ts'
import { blocksIn, partsOf, type ReadFar } from '../sqlite/far.ts'
import { findRun } from '../sqlite/runs.ts'
import { objectName } from './protocol.ts'

/** The begin of the keys of all draws of a Durable Object. */
export function objectPrefix(tenant: string, rid: string): string {
  return `${objectName(tenant, rid)}/`
}

/** The begin of the keys of all draws of a registration. */
export function drawsPrefix(tenant: string, registration: string): string {
  const [uuid = ''] = registration.split('.', 1)
  return `${objectPrefix(tenant, ridOf(registration))}${uuid}/`
}

/** Key of a registration's object with this number. */
export function drawsKey(tenant: string, registration: string, object: number): string {
  return drawsPrefix(tenant, registration) + object
}

/** Reads draws of a tenant's run from the bucket that is bound. */
export function readFarFrom(bucket: () => Objects | undefined, driver: SqlDriver, tenant: string): ReadFar {
  return async (registration, blocks) => {
    const objects = bucket()
    if (objects === undefined) throw unbound(registration)
    const parts = partsOf(blocks, (object) => drawsKey(tenant, registration, object))
    const read = await readParts(objects, parts)
    // Objects go before the rows that name them.
    if (read.states.includes('missing') && (await isGone(driver, tenant, registration))) {
      throw new McbError('run_not_found', 'the run was deleted')
    }
    return blocksIn(blocks, parts, read)
  }
}

async function isGone(driver: SqlDriver, tenant: string, registration: string): Promise<boolean> {
  return (await driver.run(() => findRun(tenant, 'registration', registration))) === undefined
}

function unbound(registration: string): McbError {
  const cause = new Error(
    `draws of run "${ridOf(registration)}" lie in the bucket, and none is bound: add the binding DRAWS to wrangler.toml, and deploy`,
  )
  const detail = 'the bucket that has these draws cannot be reached'
  return new McbError('storage_unavailable', detail, { retryAfter: 60 }, { cause })
}
