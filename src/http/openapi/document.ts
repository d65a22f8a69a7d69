/** /openapi.json as one document: what the routes say of themselves, and what belongs to none of them. */
import type { Hono } from 'hono'
import { generateSpecs } from 'hono-openapi'
import { ERRORS } from '../../core/errors.ts'
import type { AppEnv } from '../context.ts'
import type { Operation } from '../operation.ts'
import { errors } from './describe.ts'
import { MANAGEMENT_SCHEMAS } from './schemas.ts'
import type { Description, OpenApi } from './types.ts'

/** Made when it is first asked for. */
export function openApiOf(app: Hono<AppEnv>, version: string): () => Promise<OpenApi> {
  let made: Promise<OpenApi> | undefined
  return () => {
    made ??= generateSpecs(app, { documentation: documentation(version) })
    return made
  }
}

/** A route's description with what follows from who may use it. */
export function described({ describe, needs }: Pick<Operation, 'describe' | 'needs'>): Description {
  if (describe.hide || needs === 'nothing') return describe
  const security = needs.startsWith('operator')
    ? [{ operator: [] }, ...(needs === 'operator' ? [] : [{ key: [] }, { basic: [] }])]
    : [{ key: [] }, { basic: [] }]
  const who = needs === 'key' ? 'Any key.' : `Needs: ${needs}.`
  const description = describe.description === undefined ? who : `${describe.description} ${who}`
  return { ...describe, description, security, responses: { ...errors(401, 403, 421, 429), ...describe.responses } }
}

/** The parts of the document that no route owns. */
function documentation(version: string) {
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
