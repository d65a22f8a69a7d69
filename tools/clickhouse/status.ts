/**
 * The HTTP status of an exception, as ClickHouse's `exceptionCodeToHTTPStatus` gives it.
 *
 * https://clickhouse.com/docs/interfaces/http
 */

/** Codes of faults in a query's text or data. */
const BAD_REQUEST = [6, 7, 26, 27, 33, 36, 38, 41, 42, 43, 44, 45, 51, 53, 62, 69, 70, 72, 117, 130, 131, 159, 456, 457]
/** Codes of things that a query names and that are not there. */
const NOT_FOUND = [46, 47, 50, 56, 60, 73, 81, 115, 139, 141]
const OTHERS: Readonly<Record<number, number>> = {
  48: 501,
  192: 403,
  193: 403,
  194: 401,
  209: 503,
  288: 413,
  497: 403,
  516: 401,
}

export function httpStatus(code: number): number {
  const other = OTHERS[code]
  if (other !== undefined) return other
  if (BAD_REQUEST.includes(code)) return 400
  return NOT_FOUND.includes(code) ? 404 : 500
}
