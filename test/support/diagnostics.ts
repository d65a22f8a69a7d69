/** Values of R's posterior and of arviz-stats for chains that are hard to judge, read in place; nothing of them is committed. */
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

/** All cases, or undefined where the file is absent. */
export function diagnosticCases(): readonly DiagnosticCase[] | undefined {
  return existsSync(PATH) ? JSON.parse(gunzipSync(readFileSync(PATH)).toString('utf8')) : undefined
}

/** The draws of a case, chain after chain. */
export function drawsOfCase({ chains }: DiagnosticCase): Float64Array {
  return Float64Array.from(chains.flat(), Number)
}

export const CONVENTIONS: readonly Convention[] = ['posterior', 'arviz']
