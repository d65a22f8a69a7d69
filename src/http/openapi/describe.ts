/** What the routes say of themselves in /openapi.json. */
import { ERRORS } from '../../core/errors.ts'
import { JSON_TYPE, PROTOBUF } from '../negotiate.ts'
import type { Description, Parameters, Responses } from './types.ts'

export function describe(
  tag: string,
  operationId: string,
  summary: string,
  more: Omit<Description, 'tags' | 'operationId' | 'summary'>,
): Description {
  return { tags: [tag], operationId, summary, ...more }
}

/** Problem answers of some statuses, each with the codes that it may carry. */
export function errors(...statuses: readonly number[]): Responses {
  const all = [...statuses, 503]
  return Object.fromEntries(
    all.map((status) => {
      const codes = Object.entries(ERRORS).filter(([, [of]]) => of === status)
      const description = codes.map(([code]) => code).join(', ')
      return [
        status,
        { description, content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
      ]
    }),
  )
}

const binary = { schema: { type: 'string' as const, format: 'binary' } }
const json = { schema: { type: 'object' as const } }

export function jsonBody(schema: string) {
  return { required: true, content: { [JSON_TYPE]: { schema: { $ref: `#/components/schemas/${schema}` } } } }
}

export function jsonAnswer(description: string, schema: string) {
  return { description, content: { [JSON_TYPE]: { schema: { $ref: `#/components/schemas/${schema}` } } } }
}

export const runMetaBody = {
  description: 'mcbackend.RunMeta (protobufs/meta.proto)',
  required: true,
  content: { [PROTOBUF]: binary },
}
export const drawsBody = {
  description: 'mcbackend.DrawBatch (protobufs/draws.proto)',
  required: true,
  content: { [PROTOBUF]: binary },
}

export function runMetaAnswer(description: string) {
  return { description, content: { [PROTOBUF]: binary, [JSON_TYPE]: json } }
}

export const drawsAnswer = {
  description: 'DrawBatch; all columns come from one moment',
  content: { [PROTOBUF]: binary, [JSON_TYPE]: json },
}

export function chainAnswer(description: string) {
  return { description, content: { [JSON_TYPE]: { schema: { $ref: '#/components/schemas/Chain' } } } }
}

const name = (what: string) => ({
  schema: { type: 'array' as const, items: { type: 'string' as const } },
  description: what,
})
const bound = (what: string) => ({ schema: { type: 'integer' as const }, description: what })

export const sliceParameters: Parameters = [
  {
    name: 'var',
    in: 'query',
    explode: true,
    ...name('Variables to read; all variables and stats when neither is named'),
  },
  { name: 'stat', in: 'query', explode: true, ...name('Sampler stats to read') },
  { name: 'start', in: 'query', ...bound("Python's slice start") },
  { name: 'stop', in: 'query', ...bound("Python's slice stop") },
  { name: 'step', in: 'query', ...bound("Python's slice step; not 0") },
]
