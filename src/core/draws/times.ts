/** Times of NumPy's `datetime64`: counts of a unit since 1970, as ISO 8601 as short as it is exact. */

const SECOND = 10n ** 18n

/** Units of fixed length, in attoseconds (NumPy's smallest unit). */
const LENGTH: Readonly<Record<string, bigint>> = {
  W: 604_800n * SECOND,
  D: 86_400n * SECOND,
  h: 3_600n * SECOND,
  m: 60n * SECOND,
  s: SECOND,
  ms: 10n ** 15n,
  us: 10n ** 12n,
  ns: 10n ** 9n,
  ps: 10n ** 6n,
  fs: 10n ** 3n,
  as: 1n,
}
/** Units of months, which have no fixed length. */
const MONTHS: Readonly<Record<string, number>> = { Y: 12, M: 1 }

const NOT_A_TIME = -(2n ** 63n)
/** Seconds from 1970 to the last day of a JavaScript `Date`. */
const MOST_SECONDS = 8_640_000_000_000n

/**
 * A time as text: `2020-01-31`, with `T12:30:15.25` behind it where it is not midnight; `2020` and `2020-01` for years and
 * months. A count beyond the years of JavaScript's calendar, or of a unit that is not known, stays a number.
 *
 * @param unit the text between the brackets of the dtype, such as `D`, `ns` or `25s`
 */
export function timeText(value: bigint, unit: string): string {
  if (value === NOT_A_TIME) return 'NaT'
  const [, times = '', name = ''] = /^(\d*)([A-Za-z]+)$/.exec(unit) ?? []
  const count = value * BigInt(times === '' ? 1 : times)
  const months = MONTHS[name]
  if (months !== undefined) return monthText(value, Number(count) * months, months)
  const length = LENGTH[name]
  if (length === undefined) return String(value)
  const total = count * length
  const fraction = ((total % SECOND) + SECOND) % SECOND
  const seconds = (total - fraction) / SECOND
  if (seconds > MOST_SECONDS || seconds < -MOST_SECONDS) return String(value)
  const milliseconds = Number(seconds) * 1000
  const time = new Date(milliseconds).toISOString().slice(-13, -5)
  const digits = String(fraction).padStart(18, '0').replace(/0+$/, '')
  if (time === '00:00:00' && digits === '') return dateText(milliseconds)
  return `${dateText(milliseconds)}T${time}${digits === '' ? '' : `.${digits}`}`
}

/** A year or a month; the count itself beyond the calendar. */
function monthText(value: bigint, months: number, each: number): string {
  const milliseconds = Date.UTC(1970, months)
  if (Number.isNaN(milliseconds)) return String(value)
  return dateText(milliseconds).slice(0, each === 1 ? -3 : -6)
}

function dateText(milliseconds: number): string {
  return new Date(milliseconds).toISOString().split('T', 1)[0] ?? ''
}
