/** Lines of the list of runs: the question of a filter to a store, and the line that it answers for a client. */
import { stateOf } from '../core/about.ts'
import { McbError } from '../core/errors.ts'
import { fold, type RunFilter, termsOf } from '../core/finding.ts'
import type { RunSummary } from '../core/interfaces.ts'
import type { ListQuery, RunLine } from '../core/store.ts'

/** Tags that one question names, as many as a run has, and attributes. */
const TAGS = 50
const ATTRIBUTES = 10

/** @throws McbError `invalid_parameter` for more tags or attributes than one question may name */
export function conditionsOf(filter: RunFilter): Omit<ListQuery, 'limit'> {
  const { q, since, until, updatedSince, archived = 'false', tag = [], attr = [] } = filter
  if (new Set(tag).size > TAGS) throw new McbError('invalid_parameter', `a list takes at most ${TAGS} tags`)
  if (attr.length > ATTRIBUTES) throw new McbError('invalid_parameter', `a list takes at most ${ATTRIBUTES} attributes`)
  return {
    ...(q !== undefined && q !== '' && { part: fold(q) }),
    terms: termsOf({ tag, attr }),
    ...(since !== undefined && { since: since.getTime() }),
    ...(until !== undefined && { until: until.getTime() }),
    ...(updatedSince !== undefined && { updatedSince: updatedSince.getTime() }),
    ...(archived !== 'any' && { archived: archived === 'true' }),
  }
}

/** @param now milliseconds since 1970 */
export function summaryOf({ finished, expected, shortest, ...line }: RunLine, now: number): RunSummary {
  return { ...line, state: stateOf({ ...line, finished, expected, shortest }, now) }
}

/**
 * The condition of `If-Match` (RFC 9110, section 13.1.1): `*`, or a list of ETags. A weak one counts as well: proxies that
 * compress make them of strong ones, and a revision says all that there is to compare.
 *
 * @throws McbError `about_changed` when `etag` is not among them
 */
export function requireETag(ifMatch: string, etag: string): void {
  if (ifMatch.trim() === '*' || ifMatch.split(',').some((each) => each.trim().replace(/^W\//, '') === etag)) return
  throw new McbError('about_changed', 'the names, notes and facts of the run have changed; read them again')
}
