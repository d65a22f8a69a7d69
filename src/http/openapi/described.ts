/** An operation in /openapi.json: its own description, and all that follows from its path, its body and its callers. */
import type { Method, Need, Operation } from '../operation.ts'
import { headers } from './described-headers.ts'
import { PATH_PARAMETERS } from './parameters.ts'
import { type Problem, problemsOf, responsesOf } from './problems.ts'
import type { CodeOrPlace, Description, OperationObject } from './types.ts'

export function described(path: string, method: Method, operation: Operation): OperationObject | undefined {
  const { describe, needs } = operation
  if (describe === 'hidden') return undefined
  const { tag, operationId, summary, description, parameters = [], requestBody, responses } = describe
  const named = namesIn(path).flatMap((name) => PATH_PARAMETERS[name] ?? [])
  return {
    tags: [tag],
    operationId,
    summary,
    description: description === undefined ? whoMay(needs) : `${description} ${whoMay(needs)}`,
    parameters: [...named, ...parameters],
    ...(requestBody !== undefined && { requestBody }),
    security: securityOf(needs),
    responses: {
      ...(needs === 'nothing' ? responses : withRates(responses)),
      ...responsesOf(problemsOfOperation(path, method, operation)),
    },
  }
}

function whoMay(needs: Need): string {
  if (needs === 'nothing') return 'Needs no key.'
  return needs === 'key' ? 'Any key.' : `Needs: ${needs}.`
}

/** Security of an operation; the empty requirement is that of servers without keys. */
function securityOf(needs: Need): OperationObject['security'] {
  if (needs === 'nothing') return []
  if (needs === 'operator') return [{ operator: [] }]
  if (needs === 'operator or this machine') return [{ operator: [] }, {}]
  if (needs === 'operator or admin') return [{ operator: [] }, { key: [] }, { basic: [] }]
  return [{ key: [] }, { basic: [] }, {}]
}

/** The errors that an operation says, and those of all that have such a path, body or caller. */
export function problemsOfOperation(path: string, method: Method, { describe, needs }: Operation): readonly Problem[] {
  if (describe === 'hidden') return []
  const { requestBody, errors = [] } = describe
  const isCounted = method === 'get' && !needs.startsWith('operator') && needs !== 'nothing'
  const codes: CodeOrPlace[] = ['misdirected_request', 'storage_unavailable', ...errors]
  if (namesIn(path).length > 0) codes.push('invalid_parameter')
  if (needs !== 'nothing') codes.push('unauthorized', 'forbidden', 'tenant_suspended', 'rate_limited')
  if (requestBody !== undefined) codes.push('payload_too_large', 'unsupported_media_type')
  if (requestBody !== undefined || isCounted) codes.push('overloaded')
  return problemsOf(codes)
}

function namesIn(path: string): string[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name)
}

/** The answers with headers of rates: those to a key of a tenant with a limit of requests tell the rest of it. */
function withRates(responses: Description['responses']): Description['responses'] {
  return Object.fromEntries(
    Object.entries(responses).map(([status, answer]) => [
      status,
      { ...answer, headers: { ...answer.headers, ...headers('RateLimit', 'RateLimit-Policy') } },
    ]),
  )
}
