/** Times as xarray writes them, counts since a moment (CF conventions), as counts of NumPy's units since 1970. */
import type { LabelArray } from '../draws/ndarray.ts'
import type { JsonObject } from '../json.ts'

const UNITS: Readonly<Record<string, readonly [unit: string, nanoseconds: bigint]>> = {
  days: ['D', 86_400_000_000_000n],
  hours: ['h', 3_600_000_000_000n],
  minutes: ['m', 60_000_000_000n],
  seconds: ['s', 1_000_000_000n],
  milliseconds: ['ms', 1_000_000n],
  microseconds: ['us', 1_000n],
  nanoseconds: ['ns', 1n],
}
const CALENDARS = ['proleptic_gregorian', 'standard', 'gregorian']
const NOT_A_TIME = -(2n ** 63n)
const MOST = 2n ** 63n - 1n

/** The array as times in nanoseconds, as xarray reads them; itself where its attributes tell of none, or of such that do not fit. */
export function withTimes(array: LabelArray, attributes: JsonObject): LabelArray {
  const { units, calendar = 'standard' } = attributes
  if (array.dtype !== 'int64' || typeof units !== 'string' || !CALENDARS.includes(String(calendar))) return array
  const [, name = '', moment = ''] = /^(\w+) since (.+)$/.exec(units) ?? []
  const known = UNITS[name]
  const [date = '', time = '00:00:00'] = moment.split(/[ T]/, 2)
  const begin = Date.parse(`${date}T${time}Z`)
  if (known === undefined || Number.isNaN(begin)) return array
  const base = BigInt(begin) * 1_000_000n
  const times = array.data.map((count) => (count === NOT_A_TIME ? count : base + count * known[1]))
  const fits = array.data.every((count) => {
    const value = base + count * known[1]
    return count === NOT_A_TIME || (value <= MOST && value > NOT_A_TIME)
  })
  return fits ? { ...array, data: times, unit: 'ns' } : array
}
