/** What the routes say of themselves in /openapi.json. */
import type { DescribeRouteOptions } from 'hono-openapi'
import { ERRORS } from '../../core/errors.ts'
import { JSON_TYPE, PROTOBUF } from '../negotiate.ts'
import type { Operation } from '../operation.ts'
import { MANAGEMENT_SCHEMAS } from './schemas.ts'

type Responses = NonNullable<DescribeRouteOptions['responses']>
type Parameters = NonNullable<DescribeRouteOptions['parameters']>

export function describe(
  tag: string,
  operationId: string,
  summary: string,
  more: Omit<DescribeRouteOptions, 'tags' | 'operationId' | 'summary'>,
): DescribeRouteOptions {
  return { tags: [tag], operationId, summary, ...more }
}

/** A route's description with what follows from who may use it. */
export function described({ describe, needs }: Pick<Operation, 'describe' | 'needs'>): DescribeRouteOptions {
  if (describe.hide || needs === 'nothing') return describe
  const security = needs.startsWith('operator')
    ? [{ operator: [] }, ...(needs === 'operator' ? [] : [{ key: [] }, { basic: [] }])]
    : [{ key: [] }, { basic: [] }]
  const who = needs === 'key' ? 'Any key.' : `Needs: ${needs}.`
  const description = describe.description === undefined ? who : `${describe.description} ${who}`
  return { ...describe, description, security, responses: { ...errors(401, 403, 421, 429), ...describe.responses } }
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

/** The parts of the document that no route owns. */
export function documentation(version: string) {
  return {
    info: {
      title: 'McBackend Edge',
      version,
      description: 'Keeps the draws of Markov-chain Monte Carlo runs, and gives any slice of any chain back by run id.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    components: {
      securitySchemes: {
        key: { type: 'http' as const, scheme: 'bearer', description: 'A key of a tenant: mcb_…' },
        basic: { type: 'http' as const, scheme: 'basic', description: 'The same key as the password of any user' },
        operator: { type: 'http' as const, scheme: 'bearer', description: "The operator's token, MCB_OPERATOR_TOKEN" },
      },
      schemas: {
        ...MANAGEMENT_SCHEMAS,
        Chain: {
          type: 'object' as const,
          required: ['chain', 'length', 'updatedAt'],
          properties: {
            chain: { type: 'integer' as const },
            length: { type: 'integer' as const },
            updatedAt: { type: 'string' as const, format: 'date-time' },
          },
        },
        Problem: {
          type: 'object' as const,
          required: ['type', 'title', 'status', 'detail', 'code'],
          properties: {
            type: { type: 'string' as const },
            title: { type: 'string' as const },
            status: { type: 'integer' as const },
            detail: { type: 'string' as const },
            code: { type: 'string' as const, enum: Object.keys(ERRORS) },
          },
        },
      },
    },
  }
}
