/** Errors as application/problem+json (RFC 9457). */
import type { ErrorHandler, NotFoundHandler } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { McbError } from '../core/errors.ts'
import { withoutKeys } from '../core/keys.ts'
import type { AppContext, AppEnv } from './context.ts'

const RETRY_AFTER_SECONDS = 1

export function problem(c: AppContext, error: McbError): Response {
  const { status: _status, allow, retryAfter, ...fields } = error.fields
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json' }
  if (allow !== undefined) headers.Allow = allow.join(', ')
  if (error.status === 401) headers['WWW-Authenticate'] = 'Bearer realm="mcbackend"'
  if (error.status === 429 || error.status === 503) headers['Retry-After'] = String(retryAfter ?? RETRY_AFTER_SECONDS)
  const body = {
    type: `urn:mcbackend:error:${error.code}`,
    title: error.title,
    status: error.status,
    detail: withoutKeys(error.message),
    code: error.code,
    ...fields,
  }
  const text = JSON.stringify(body)
  const { status } = error
  return isStatus(status) ? c.body(text, status, headers) : c.body(text, 500, headers)
}

function isStatus(status: number): status is ContentfulStatusCode {
  return Number.isInteger(status) && status >= 400 && status < 600
}

/** `report` learns of what is not the client's doing. */
export function handleErrors(report: (requestId: string, error: unknown) => void): ErrorHandler<AppEnv> {
  return (error, c) => {
    if (error instanceof McbError) {
      if (error.status >= 500) report(c.get('requestId'), error)
      return problem(c, error)
    }
    report(c.get('requestId'), error)
    return problem(c, new McbError('internal_error', 'the server has met a defect; its log tells more'))
  }
}

export const handleNotFound: NotFoundHandler<AppEnv> = (c) =>
  problem(c, new McbError('not_found', `there is nothing at ${c.req.path}; /docs lists what there is`))
