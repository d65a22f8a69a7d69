/** Values of R's posterior and of arviz-stats for chains that are hard to judge. */
import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Convention } from '../../src/core/diagnostics/convention.ts'
import { SHARED_DATA } from './shared.ts'

/** A value, or the word that the package has for none. */
export type Expected = number | string

export interface DiagnosticCase {
  readonly name: string
  readonly chains: readonly (readonly (number | string)[])[]
  readonly posterior: Readonly<Record<string, Expected>>
  readonly arviz: Readonly<Record<string, Expected>>
}

const PATH = `${SHARED_DATA}/diagnostics/cases.json.gz`

/** Cases that are read in place, and of which nothing is committed; undefined where the file is absent. */
export function sharedCases(): readonly DiagnosticCase[] | undefined {
  return existsSync(PATH) ? casesIn(PATH) : undefined
}

/** Random cases of the same kind, which test/core/diagnostics/cases-golden/make.py has written down. */
export function randomCases(): readonly DiagnosticCase[] {
  return casesIn(new URL('../core/diagnostics/cases-golden/cases.json.gz', import.meta.url))
}

function casesIn(path: string | URL): readonly DiagnosticCase[] {
  return JSON.parse(gunzipSync(readFileSync(path)).toString('utf8'))
}

/** The draws of a case, chain after chain. */
export function drawsOfCase({ chains }: DiagnosticCase): Float64Array {
  return Float64Array.from(chains.flat(), Number)
}

export const CONVENTIONS: readonly Convention[] = ['posterior', 'arviz']
