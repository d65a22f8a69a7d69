/** Moments as a list has them: short, and the longer ago, the coarser. */
import { duration } from '../../paint/number.ts'

const DAY_S = 86_400

const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'short' })
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

/** “2 min” ago, “3 h” ago, or a day. @param now milliseconds since 1970 */
export function ago(moment: string, now: number): string {
  const at = Date.parse(moment)
  const seconds = Math.max(0, (now - at) / 1000)
  if (seconds < 60) return 'now'
  if (seconds < 3600) return duration(60 * Math.floor(seconds / 60))
  if (seconds < DAY_S) return duration(3600 * Math.floor(seconds / 3600))
  if (seconds < 6 * DAY_S) return weekday.format(at)
  if (seconds < 300 * DAY_S) return dayOfYear.format(at)
  return moment.slice(0, 10)
}

/** The moment in full, in the time zone of whoever reads it. */
export function exactly(moment: string): string {
  return exact.format(Date.parse(moment))
}
