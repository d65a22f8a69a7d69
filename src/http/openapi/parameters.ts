/** Parameters of paths and queries, for /openapi.json. */
import { COLUMNS } from '../../core/diagnostics/summary-columns.ts'
import { DEFAULT_COLUMNS, DEFAULT_LIMIT, MAX_LIMIT, WARMUP_CHOICES } from '../../core/summary/question.ts'
import { ref } from './schema-parts.ts'
import type { Parameter } from './types.ts'

/** Parameters of paths, by the router's name; a parameter is the same in every path. */
export const PATH_PARAMETERS: Readonly<Record<string, Parameter>> = {
  rid: {
    name: 'rid',
    in: 'path',
    required: true,
    description: 'Id of the run',
    schema: ref('RunId'),
    example: 'eight-schools',
  },
  chain: {
    name: 'chain',
    in: 'path',
    required: true,
    description: 'Number of the chain, without leading zeros',
    schema: ref('ChainNumber'),
    example: 0,
  },
  path: {
    name: 'path',
    in: 'path',
    required: true,
    description: 'Key in the hierarchy, in which `/` stands as it is; names are percent-encoded',
    schema: { type: 'string', minLength: 1 },
    example: 'zarr.json',
  },
  lengths: {
    name: 'lengths',
    in: 'path',
    required: true,
    description: 'Lengths of chains, in rising order of their numbers: a moment of the past',
    schema: { type: 'string', pattern: '^[0-9]+:[0-9]+(,[0-9]+:[0-9]+)*$' },
    example: '0:1500,1:1490',
  },
  tenant: {
    name: 'tenant',
    in: 'path',
    required: true,
    description: 'Name of the tenant',
    schema: ref('TenantName'),
    example: 'lab',
  },
  id: {
    name: 'id',
    in: 'path',
    required: true,
    description: 'Id of the key, as the list of keys shows it',
    schema: ref('KeyId'),
    example: 'o5AZ1uj3kfwN3Jwu4P',
  },
}

const ofList = (name: string, description: string, schema: Parameter['schema'], example?: unknown): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
  ...(example !== undefined && { example }),
})
const moment = { type: 'string', format: 'date-time' } as const

/** Conditions on the runs of a list; `attr.KEY` has no fixed name, so that OpenAPI cannot describe it. */
export const findingParameters: readonly Parameter[] = [
  ofList('q', 'Part of the rid or the name, both folded to lower case', { type: 'string' }, 'schools'),
  {
    name: 'tag',
    in: 'query',
    description: 'Tags that a run has, all of them',
    style: 'form',
    explode: true,
    schema: { type: 'array', maxItems: 50, items: { type: 'string' } },
  },
  ofList(
    'since',
    'Registered from this moment on; a day as 2026-11-21 is taken as well, in UTC',
    moment,
    '2026-11-21T00:00:00Z',
  ),
  ofList('until', 'Registered before this moment', moment),
  ofList('updatedSince', 'Written from this moment on', moment),
  ofList('archived', 'Which runs: those that are not archived, such alone, or any', {
    type: 'string',
    enum: ['true', 'false', 'any'],
    default: 'false',
  }),
]

export const limit: Parameter = {
  name: 'limit',
  in: 'query',
  description: 'Runs of a page at most',
  schema: { type: 'integer', format: 'int32', minimum: 1, maximum: 1000, default: 100 },
}
export const cursor: Parameter = {
  name: 'cursor',
  in: 'query',
  description: 'nextCursor of the page before',
  schema: ref('Cursor'),
}

export const columns = (name: string, description: string): Parameter => ({
  name,
  in: 'query',
  style: 'form',
  explode: true,
  description,
  schema: { type: 'array', items: { type: 'string', minLength: 1, maxLength: 256 } },
})

export const bound = (name: string, description: string): Parameter => ({
  name,
  in: 'query',
  description: `${description} A decimal integer of any size, negative ones counted from the end, clamped as Python does.`,
  schema: { type: 'integer', format: 'int64' },
})

export const choice = (name: string, description: string, choices: readonly string[]): Parameter =>
  ofList(name, description, { type: 'string', enum: choices, default: choices[0] })

export const elements: Parameter = {
  name: 'elem',
  in: 'query',
  description:
    'Some elements of the one variable or stat that is named: indices and half-open ranges into the flattened (C order) value, at ' +
    'most 10,000',
  schema: { type: 'string', pattern: '^[0-9]+(:[0-9]+)?(,[0-9]+(:[0-9]+)?)*$' },
  example: '0,3,10:20',
}
export const chains: Parameter = {
  name: 'chain',
  in: 'query',
  style: 'form',
  explode: true,
  description: 'Numbers of chains; without it, all that have at least half the median length',
  schema: { type: 'array', items: ref('ChainNumber') },
}

export const summaryParameters: readonly Parameter[] = [
  columns('var', 'Variables; without `var` and `stat`, all variables'),
  columns('stat', 'Sampler stats'),
  elements,
  chains,
  choice('warmup', 'Warmup draws: left out, used like others, or used alone', WARMUP_CHOICES),
  choice('convention', "Numbers as R's posterior has them, or as ArviZ has", ['posterior', 'arviz']),
  choice('ci_kind', 'Intervals with equal tails, or of the highest density', ['eti', 'hdi']),
  ofList('ci_prob', 'Probability of the interval, between 0 and 1', { type: 'number', default: 0.89 }),
  ofList('columns', `Some of ${COLUMNS.join()}, with commas between`, {
    type: 'string',
    default: DEFAULT_COLUMNS.join(),
  }),
  ofList(
    'sort',
    'One of the columns, with - before it for the greatest first; order of registration without it',
    {
      type: 'string',
    },
    '-rhat',
  ),
  {
    ...limit,
    description: 'Rows of a page at most',
    schema: { type: 'integer', format: 'int32', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT },
  },
  { ...cursor, schema: { type: 'string' } },
]

export const sliceParameters: readonly Parameter[] = [
  columns('var', 'Variables to read, in this order; without `var` and `stat`, all variables and sampler stats'),
  columns('stat', 'Sampler stats to read'),
  bound('start', "Start of Python's slice."),
  bound('stop', "Stop of Python's slice."),
  {
    name: 'step',
    in: 'query',
    description: "Step of Python's slice, of any size; negative ones read backwards; not 0.",
    schema: { type: 'integer', format: 'int64', not: { const: 0 }, default: 1 },
  },
  {
    name: 'elem',
    in: 'query',
    description:
      'Some elements of the one rigid column that `var` or `stat` names, in this order, which the answer has as a vector a ' +
      'draw: indices and half-open ranges into the flattened (C order) value, at most 10,000 elements',
    schema: { type: 'string', pattern: '^[0-9]+(:[0-9]+)?(,[0-9]+(:[0-9]+)?)*$' },
    example: '0,3,10:20',
  },
]

export const stanWarmup: Parameter = {
  name: 'warmup',
  in: 'query',
  description: 'Warmup draws of the chain',
  schema: { type: 'string', enum: ['include', 'exclude'], default: 'include' },
}

export const stanWarmupRows: Parameter = {
  name: 'warmup',
  in: 'query',
  description:
    'Rows at the beginning that are warmup, for files that do not tell it; for others it must be what they tell',
  schema: { type: 'integer', minimum: 0 },
}
