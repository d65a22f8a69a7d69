/** Answers of the API as the page reads them; members that it does not know are left out. */
import * as v from 'valibot'

const numberOrNull = v.nullable(v.number())
const status = v.picklist(['ok', 'warn', 'fail', 'unknown'])

export const diagnostics = v.object({
  draws: v.number(),
  rhat: numberOrNull,
  essBulk: numberOrNull,
  essTail: numberOrNull,
  divergences: numberOrNull,
  bfmi: numberOrNull,
  status: v.nullable(status),
  at: v.string(),
})

const line = {
  rid: v.string(),
  createdAt: v.string(),
  updatedAt: v.string(),
  variables: v.number(),
  sampleStats: v.number(),
  chains: v.number(),
  draws: v.number(),
  name: v.optional(v.nullable(v.string()), null),
  tags: v.optional(v.array(v.string()), []),
  archived: v.optional(v.boolean(), false),
  state: v.optional(v.picklist(['done', 'live', 'silent']), 'silent'),
  diagnostics: v.optional(v.nullable(diagnostics), null),
}

export const runLine = v.object(line)
export const runPage = v.object({ runs: v.array(runLine), nextCursor: v.optional(v.string()) })

/** `facts` and `attributes` are whatever somebody has written: objects of JSON. */
export const about = v.object({
  ...line,
  notes: v.optional(v.nullable(v.string()), null),
  facts: v.optional(v.record(v.string(), v.unknown()), {}),
  attributes: v.optional(v.record(v.string(), v.unknown()), {}),
})

export const chainState = v.object({ chain: v.number(), length: v.number(), updatedAt: v.string() })
export const chainList = v.object({ chains: v.array(chainState) })

const namedValue = v.object({
  label: v.string(),
  value: numberOrNull,
  at: v.optional(v.picklist(['small', 'large'])),
})

export const check = v.object({
  check: v.string(),
  status,
  message: v.string(),
  advice: v.optional(v.string(), ''),
  chains: v.optional(v.array(v.object({ chain: v.number(), value: v.number() })), []),
  worst: v.optional(v.array(namedValue), []),
})

export const checks = v.object({
  rid: v.string(),
  registration: v.string(),
  draws: v.number(),
  status,
  progress: v.optional(v.number()),
  checks: v.array(check),
})

const scalarCounts = v.object({
  mean: numberOrNull,
  least: numberOrNull,
  greatest: numberOrNull,
  notFinite: v.number(),
})

/** The event `counts`. */
export const counts = v.object({
  draws: v.number(),
  warmup: v.number(),
  divergences: numberOrNull,
  variables: v.record(v.string(), scalarCounts),
  stats: v.record(v.string(), scalarCounts),
})

export const chainLength = v.object({ chain: v.number(), length: v.number() })

const integer = v.pipe(v.union([v.string(), v.number()]), v.transform(Number), v.number())
const ndarray = v.object({
  data: v.optional(v.string(), ''),
  dtype: v.optional(v.string(), ''),
  shape: v.optional(v.array(integer), []),
})

const variable = v.object({
  name: v.optional(v.string(), ''),
  dtype: v.optional(v.string(), ''),
  shape: v.optional(v.array(integer), []),
  dims: v.optional(v.array(v.string()), []),
  isDeterministic: v.optional(v.boolean(), false),
  undefinedNdim: v.optional(v.boolean(), false),
})

/** RunMeta in its canonical JSON. */
export const runMeta = v.object({
  variables: v.optional(v.array(variable), []),
  sampleStats: v.optional(v.array(variable), []),
  coordinates: v.optional(v.array(v.object({ name: v.optional(v.string(), ''), values: v.optional(ndarray) })), []),
  data: v.optional(
    v.array(
      v.object({
        name: v.optional(v.string(), ''),
        value: v.optional(ndarray),
        dims: v.optional(v.array(v.string()), []),
        isObserved: v.optional(v.boolean(), false),
      }),
    ),
    [],
  ),
})

export type Diagnostics = v.InferOutput<typeof diagnostics>
export type RunLine = v.InferOutput<typeof runLine>
export type RunPage = v.InferOutput<typeof runPage>
export type About = v.InferOutput<typeof about>
export type ChainState = v.InferOutput<typeof chainState>
export type Check = v.InferOutput<typeof check>
export type Checks = v.InferOutput<typeof checks>
export type Status = v.InferOutput<typeof status>
export type Counts = v.InferOutput<typeof counts>
export type RunMetaJson = v.InferOutput<typeof runMeta>
