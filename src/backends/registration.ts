/** Registrations that carry their rid, for stores that find a run's rows, or its object, by its rid. */

import { McbError } from '../core/errors.ts'

/** A new registration: a UUID and the rid. No UUID has a `.`, so the first one separates them; a rid may have others. */
export function newRegistration(rid: string): string {
  return `${crypto.randomUUID()}.${rid}`
}

/** The rid of a registration. @throws McbError `run_not_found` for a text that is none */
export function ridOf(registration: string): string {
  const dot = registration.indexOf('.')
  if (dot < 0) throw new McbError('run_not_found', 'the run was deleted')
  return registration.slice(dot + 1)
}
