/** Counts the open answers of each tenant: who has too many is refused before anything is read. */
import { LOCAL_TENANT } from '../access/records.ts'
import type { OpenAnswers } from './open-answers.ts'
import type { Caller, Services, WhenAnswered } from './operation.ts'

/** Gives each read that was let in its place until it is answered. */
export function counted(
  authorize: Services['authorize'],
  open: OpenAnswers,
  whenAnswered: WhenAnswered,
): Services['authorize'] {
  return (operation) => {
    const authorized = authorize(operation)
    return (c, next) =>
      authorized(c, async () => {
        const caller: Caller | undefined = c.get('caller')
        const isRead = c.req.method === 'GET' || c.req.method === 'HEAD'
        if (!isRead || caller === undefined || caller.kind === 'operator') return next()
        const tenant = caller.kind === 'key' ? caller.tenant.storage : LOCAL_TENANT
        const place = open.take(tenant, operation.answer ?? 'answers')
        c.set('place', place)
        place.isWatched = whenAnswered(c, place.release)
        if (place.isWatched) return next()
        await next()
        if (!place.isStreamed) place.release()
      })
  }
}
