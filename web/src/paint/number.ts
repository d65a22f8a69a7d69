/** Numbers as people read them. */

const MINUS = '−'

/** A tick's label: as many digits as a step of this size needs. */
export function format(value: number, step: number): string {
  if (value === 0) return '0'
  const magnitude = Math.max(Math.abs(value), step)
  if (magnitude >= 1e6 || magnitude < 1e-4) {
    const digits = Math.max(0, Math.floor(Math.log10(Math.abs(value))) - Math.floor(Math.log10(step) + 1e-9))
    return signed(value.toExponential(Math.min(digits, 15)).replace('e+', 'e'))
  }
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  const text = value.toFixed(Math.min(decimals, 12))
  return signed(Math.abs(value) >= 1e4 ? grouped(text) : text)
}

/** A figure with so many significant digits, without an exponent where it is of a usual size. */
export function significant(value: number, digits = 3): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : `${MINUS}∞`
  if (value === 0) return '0'
  const exponent = Math.floor(Math.log10(Math.abs(value)))
  if (exponent >= Math.max(digits + 3, 6) || exponent < -4) {
    return signed(value.toExponential(digits - 1).replace('e+', 'e'))
  }
  return signed(value.toFixed(Math.min(20, Math.max(0, digits - 1 - exponent))))
}

/** An estimate with the digits that its Monte Carlo error leaves: two of the error. */
export function withError(value: number, error: number | null): string {
  if (error === null || !Number.isFinite(error) || error <= 0) return significant(value, 4)
  const place = Math.floor(Math.log10(error)) - 1
  if (place < -12 || Math.abs(value) >= 1e7) return significant(value, 6)
  return signed(value.toFixed(Math.max(0, -place)))
}

/** R-hat: two decimals, three beside 1.01, where they decide. */
export function rhatText(value: number): string {
  if (value >= 100) return significant(value, 3)
  return value.toFixed(value >= 1.005 && value < 1.1 ? 3 : 2)
}

/** A count: whole, with thin spaces between thousands. */
export function count(value: number): string {
  return signed(grouped(String(Math.round(value))))
}

/** A share as percent. */
export function percent(share: number): string {
  const value = 100 * share
  return `${value !== 0 && value < 1 ? significant(value, 2) : significant(value, value >= 99.5 ? 3 : 2)} %`
}

/** A rate per second, of draws. */
export function rate(perSecond: number): string {
  return perSecond >= 100 ? count(perSecond) : significant(perSecond, 2)
}

/** A duration in words: the largest two units. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return pair(whole, 60, 'min', 1, 's')
  if (whole < 86_400) return pair(whole, 3600, 'h', 60, 'min')
  return pair(whole, 86_400, 'd', 3600, 'h')
}

function pair(seconds: number, large: number, largeName: string, small: number, smallName: string): string {
  const many = Math.floor(seconds / large)
  const rest = Math.floor((seconds - many * large) / small)
  return rest === 0 || many >= 10 ? `${many} ${largeName}` : `${many} ${largeName} ${rest} ${smallName}`
}

function signed(text: string): string {
  return text.replace(/^-/, MINUS).replace(/e-/, `e${MINUS}`)
}

function grouped(text: string): string {
  const [whole = '', decimals] = text.split('.')
  const parts = whole.replaceAll(/(\d)(?=(\d{3})+$)/g, '$1\u202f')
  return decimals === undefined ? parts : `${parts}.${decimals}`
}
