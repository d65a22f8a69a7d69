/** Timestamps and durations as proto3 JSON writes them, and the ranges that they have there. */
import type { google } from '../generated/messages.js'

/** Seconds of 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the bounds of a timestamp in JSON. */
export const MIN_TIMESTAMP = -62_135_596_800
export const MAX_TIMESTAMP = 253_402_300_799
/** Seconds that google.protobuf.Duration allows either way. */
export const MAX_DURATION = 315_576_000_000

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/

/** A timestamp of RFC 3339; undefined for what is none, or out of range. */
export function timestampOf(text: string): google.protobuf.Timestamp.$Properties | undefined {
  const found = RFC3339.exec(text)
  if (found === null) return undefined
  const [, , , , , , , fraction = '', sign] = found
  const [year, month, day, hour, minute, second, , , hours, minutes] = found.slice(1).map((part) => Number(part ?? 0))
  const date = new Date(0)
  date.setUTCFullYear(year ?? 0, (month ?? 0) - 1, day)
  // A day or month that does not exist has become another one.
  if (date.getUTCDate() !== day || date.getUTCMonth() + 1 !== month) return undefined
  const ahead = (sign === '-' ? -1 : 1) * ((hours ?? 0) * 3600 + (minutes ?? 0) * 60)
  const seconds = date.getTime() / 1000 + (hour ?? 0) * 3600 + (minute ?? 0) * 60 + (second ?? 0) - ahead
  return seconds < MIN_TIMESTAMP || seconds > MAX_TIMESTAMP ? undefined : { seconds, nanos: nanosOf(fraction) }
}

/** A duration in seconds with up to nine decimals; undefined for what is none, or out of range. */
export function durationOf(text: string): google.protobuf.Duration.$Properties | undefined {
  const found = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text)
  if (found === null) return undefined
  const [, minus, whole, fraction = ''] = found
  const sign = minus === '-' ? -1 : 1
  const seconds = Number(whole)
  return seconds > MAX_DURATION ? undefined : { seconds: sign * seconds, nanos: sign * nanosOf(fraction) }
}

function nanosOf(fraction: string): number {
  return Number(fraction.padEnd(9, '0'))
}
