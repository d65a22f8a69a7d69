/** The coding of a body that the request's `Accept-Encoding` asks for, among those that were made beforehand (RFC 9110, 12.5.3). */
import { parseWeights } from './negotiate.ts'
import type { Coding } from './page-files.ts'

/** Codings from the smallest body to the largest, under the names by which requests know them. */
const NAMES: readonly (readonly [coding: Coding, names: readonly string[]])[] = [
  ['br', ['br']],
  ['gzip', ['gzip', 'x-gzip']],
]

/** The coding that the request likes most, and of those it likes as much the smallest; undefined for the plain body. */
export function chooseCoding(accepted: string | undefined, has: (coding: Coding) => boolean): Coding | undefined {
  const weights = new Map(parseWeights(accepted ?? '').map(({ name, q }) => [name, q]))
  const anything = weights.get('*')
  let chosen: Coding | undefined
  // A plain body that is not named is what is left when nothing else will do.
  let most = weights.get('identity') ?? anything ?? Number.MIN_VALUE
  let isCoded = false
  for (const [coding, names] of NAMES) {
    const q = names.map((name) => weights.get(name)).find((weight) => weight !== undefined) ?? anything ?? 0
    if (!has(coding) || q === 0 || (isCoded ? q <= most : q < most)) continue
    chosen = coding
    most = q
    isCoded = true
  }
  return chosen
}
