/**
 * Whole documents as answers: each is in memory until its reader has taken it, so that those of all readers together have a
 * bound, apart from that of bodies: a client that does not read must not stop those that write.
 */

import { isMcbError, McbError } from '../core/errors.ts'
import type { BodyBudget } from './body-budget.ts'
import type { AppContext, WhenAnswered } from './context.ts'

/** Bytes of a document below which it is not counted: the number of open answers is bounded as well. */
const SMALL_BYTES = 64 * 1024

export interface DocumentServices {
  readonly documents: BodyBudget
  readonly whenAnswered: WhenAnswered
}

/**
 * Counts a document until its answer has left.
 *
 * @throws McbError `overloaded` when those that are not taken yet leave no room for it
 */
export function countDocument(c: AppContext, { documents, whenAnswered }: DocumentServices, bytes: number): void {
  if (bytes < SMALL_BYTES || c.req.method === 'HEAD') return
  const hold = openHold(documents, keyTenant(c), bytes)
  // A platform that does not tell when an answer has left leaves nothing to count.
  if (!whenAnswered(c, () => hold.release())) hold.release()
}

/**
 * Makes sure of room for a document beforehand: for requests with effects that cannot be undone once it is answered.
 *
 * @throws McbError `overloaded` when there would be no room for the document
 */
export function requireDocumentRoom(c: AppContext, { documents }: DocumentServices, bytes: number): void {
  if (bytes >= SMALL_BYTES) openHold(documents, keyTenant(c), bytes).release()
}

/** The tenant that a document counts for; undefined where the sender has no key. */
function keyTenant(c: AppContext): string | undefined {
  const caller = c.get('caller')
  return caller.kind === 'key' ? caller.tenant.storage : undefined
}

function openHold(documents: BodyBudget, tenant: string | undefined, bytes: number) {
  try {
    const hold = documents.open(tenant, bytes)
    hold.take(bytes)
    hold.settle()
    return hold
  } catch (error) {
    if (!isMcbError(error, 'overloaded')) throw error
    throw new McbError('overloaded', 'answers that were not read yet take all the memory that there is for them', {
      retryAfter: 1,
    })
  }
}
