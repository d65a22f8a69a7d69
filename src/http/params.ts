/** Paths and queries, parsed once. */

import { type ColumnSpec, namedColumns, type Schema } from '../core/draws/columns.ts'
import { type Elements, parseElements } from '../core/draws/elements.ts'
import type { Slice } from '../core/draws/slice.ts'
import { McbError } from '../core/errors.ts'
import { isChainNumber, isRunId } from '../core/wire/run-meta.ts'
import type { AppContext } from './context.ts'
import { TENANT_NAME, TENANT_TEXT } from './json-body.ts'

export function ridParam(c: AppContext): string {
  const rid = c.get('sharedRun') ?? c.req.param('rid') ?? ''
  if (isRunId(rid)) return rid
  throw new McbError('invalid_parameter', 'a run id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -')
}

export function tenantParam(c: AppContext): string {
  const name = c.req.param('tenant') ?? ''
  if (TENANT_NAME.test(name)) return name
  throw new McbError('invalid_parameter', `a tenant has ${TENANT_TEXT}`)
}

export function chainParam(c: AppContext): number {
  return chainNumber(c.req.param('chain') ?? '')
}

function chainNumber(text: string): number {
  const chain = Number(text)
  if (/^(0|[1-9]\d{0,9})$/.test(text) && isChainNumber(chain)) return chain
  throw new McbError('invalid_parameter', 'a chain number is an integer from 0 to 2147483647 without leading zeros')
}

/** The chains that `chain` names, in the order asked for, each once; undefined when none is named. */
export function chainsQuery(c: AppContext): readonly number[] | undefined {
  const given = c.req.queries('chain')
  return given && [...new Set(given.map(chainNumber))]
}

export function sliceQuery(c: AppContext): Slice {
  const bound = (name: 'start' | 'stop' | 'step') => {
    const given = c.req.queries(name)
    if (given === undefined) return undefined
    const [text, ...more] = given
    if (more.length > 0) throw new McbError('invalid_slice', `"${name}" is given ${given.length} times`)
    if (text === undefined || !/^-?\d+$/.test(text)) {
      throw new McbError('invalid_slice', `"${name}" must be a decimal integer`)
    }
    return BigInt(text)
  }
  const slice = { start: bound('start'), stop: bound('stop'), step: bound('step') }
  if (slice.step === 0n) throw new McbError('invalid_slice', 'the step of a slice cannot be 0')
  return slice
}

/** The columns that `var` and `stat` name, in the order asked for, each once; all when neither is given. */
export function columnsQuery(c: AppContext, schema: Schema): readonly ColumnSpec[] {
  const variables = c.req.queries('var')
  const stats = c.req.queries('stat')
  if (variables === undefined && stats === undefined) return schema.columns
  return namedColumns(schema, variables, stats)
}

/** Elements of the one column that `var` or `stat` names; undefined when all are asked for. */
export function elementsQuery(c: AppContext): Elements | undefined {
  const given = c.req.queries('elem')
  if (given === undefined) return undefined
  if (given.length > 1) throw new McbError('invalid_parameter', `"elem" is given ${given.length} times`)
  const named = new Set(c.req.queries('var')).size + new Set(c.req.queries('stat')).size
  if (named !== 1) throw new McbError('invalid_parameter', `"elem" is of one "var" or "stat", not of ${named}`)
  return parseElements(given[0] ?? '')
}

const MAX_LIMIT = 1000

export function pageQuery(c: AppContext): { limit: number; cursor?: string } {
  const one = (name: 'limit' | 'cursor', pattern: RegExp, what: string) => {
    const given = c.req.queries(name)
    if (given === undefined) return undefined
    const [text, ...more] = given
    if (text !== undefined && more.length === 0 && pattern.test(text)) return text
    throw new McbError('invalid_parameter', `"${name}" must be ${what}`)
  }
  const limit = Number(one('limit', /^[1-9]\d{0,3}$/, `an integer from 1 to ${MAX_LIMIT}`) ?? 100)
  if (limit > MAX_LIMIT) throw new McbError('invalid_parameter', `"limit" must be an integer from 1 to ${MAX_LIMIT}`)
  const cursor = one('cursor', /^[1-9]\d{0,15}$/, 'the nextCursor of the page before')
  return cursor === undefined ? { limit } : { limit, cursor }
}
