/** Errors as application/problem+json (RFC 9457). */

import type { ErrorHandler, NotFoundHandler } from 'hono'
import { McbError } from '../core/errors.ts'
import { PROBLEM_TYPE } from '../core/media-types.ts'
import { withoutKeys } from '../core/redaction.ts'
import type { AppContext, AppEnv } from './context.ts'
import { COMMON_HEADERS } from './headers.ts'

const RETRY_AFTER_SECONDS = 1

export function problem(c: AppContext, error: McbError): Response {
  return problemResponse(error, c.res.headers)
}

/** The answer to a request that is not even HTTP, or names no address: the application never sees it. */
export function strayProblem(error: McbError): Response {
  return problemResponse(error, new Headers([...COMMON_HEADERS, ['X-Request-Id', crypto.randomUUID()]]))
}

/** `prepared` are the headers that middlewares have set. */
function problemResponse(error: McbError, prepared: Headers): Response {
  const { status: _status, allow, retryAfter, ...fields } = error.fields
  const headers = new Headers(prepared)
  headers.set('Content-Type', PROBLEM_TYPE)
  if (allow !== undefined) headers.set('Allow', allow.join(', '))
  if (error.status === 401) headers.set('WWW-Authenticate', 'Bearer realm="mcbackend"')
  if (error.status === 429 || error.status === 503) {
    headers.set('Retry-After', String(retryAfter ?? RETRY_AFTER_SECONDS))
  }
  const body = {
    type: `urn:mcbackend:error:${error.code}`,
    title: error.title,
    status: error.status,
    detail: withoutKeys(error.message),
    code: error.code,
    ...fields,
  }
  // c.body knows the statuses of the table only as numbers.
  return new Response(JSON.stringify(body), { status: error.status, headers })
}

/** Answers errors as problems. `report` learns of the server's failures; `overloaded` is none, since clients cause it. */
export function handleErrors(report: (requestId: string, error: unknown) => void): ErrorHandler<AppEnv> {
  return (error, c) => {
    if (error instanceof McbError) {
      if (error.status >= 500 && error.code !== 'overloaded') report(c.get('requestId'), error)
      return problem(c, error)
    }
    report(c.get('requestId'), error)
    return problem(c, new McbError('internal_error', 'the server has met a defect; its log tells more'))
  }
}

export const handleNotFound: NotFoundHandler<AppEnv> = (c) =>
  problem(c, new McbError('not_found', `there is nothing at ${c.req.path}; /docs lists what there is`))
