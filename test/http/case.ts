/** Requests that must be refused, and how: the form of the tables beside this file, and what they are made of. */
import type { ErrorCode } from '../../src/core/errors.ts'
import type { mcbackend } from '../../src/core/wire/run-meta.ts'
import { type Body, DRAWS, drawBatch, iterations, type RequestOptions, runMeta } from './api.ts'

export const LIMITS = {
  bodyBytes: 20_000,
  runMetaBytes: 10_000,
  batchIterations: 50,
  answerBytes: 3000,
  columns: 20,
  chains: 3,
}
/** Length of chain 0. */
export const LENGTH = 10

export interface Case {
  readonly what: string
  readonly code: ErrorCode
  readonly status?: number
  readonly request: readonly [method: string, path: string, options?: RequestOptions]
  /** Members that the problem has beside the common ones. */
  readonly fields?: { readonly [member: string]: unknown }
}

export const bytes = (...values: number[]): Body => new Uint8Array(values)
export const append = (change: Partial<mcbackend.DrawBatch.$Properties>, start = LENGTH, count = 1) =>
  ['POST', DRAWS, { body: drawBatch(iterations(start, count, change)) }] as const
export const draws = (...changed: mcbackend.Column.$Properties[]) => {
  const names = changed.map(({ name }) => name)
  const others = (iterations(LENGTH, 1).draws ?? []).filter(({ name }) => !names.includes(name))
  return append({ draws: [...others, ...changed] })
}
export const meta = (change: mcbackend.RunMeta.$Properties, rid = 'new') =>
  ['PUT', `/v1/runs/${rid}`, { body: runMeta({ variables: [{ name: 'x', dtype: 'float64' }], ...change }) }] as const
export const get = (path: string, headers: { [name: string]: string } = {}) => ['GET', path, { headers }] as const
