/** Counts the open answers of each tenant: one that has too many is refused before anything is read. */
import type { Next } from 'hono'
import { LOCAL_TENANT } from '../access/records.ts'
import type { AppContext, Caller, WhenAnswered } from './context.ts'
import type { OpenAnswers } from './open-answers.ts'
import type { Services } from './operation.ts'

/** Gives each read that was let in its place until it is answered, and each body that is a stream. */
export function counted(
  authorize: Services['authorize'],
  open: OpenAnswers,
  whenAnswered: WhenAnswered,
): Services['authorize'] {
  return (operation) => {
    const authorized = authorize(operation)
    const kind = operation.body === 'stream' ? 'bodies' : (operation.answer ?? 'answers')
    const answered = whileOpen(open, kind, whenAnswered)
    return (c, next) => authorized(c, () => answered(c, next))
  }
}

/** Takes a place for a read, and gives it back when the answer has ended. */
function whileOpen(open: OpenAnswers, kind: 'answers' | 'events' | 'bodies', whenAnswered: WhenAnswered) {
  return async (c: AppContext, next: Next): Promise<void> => {
    const isCounted = kind === 'bodies' || c.req.method === 'GET' || c.req.method === 'HEAD'
    const tenant = isCounted ? countedTenant(c.get('caller')) : undefined
    if (tenant === undefined) return next()
    const place = open.take(tenant, kind)
    c.set('place', place)
    place.isWatched = whenAnswered(c, place.release)
    if (place.isWatched) return next()
    await next()
    if (!place.isStreamed) place.release()
  }
}

/** The tenant that an answer counts for; undefined for callers that read no draws. */
function countedTenant(caller: Caller | undefined): string | undefined {
  if (caller === undefined || caller.kind === 'operator') return undefined
  return caller.kind === 'key' ? caller.tenant.storage : LOCAL_TENANT
}
