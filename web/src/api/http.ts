/** Requests to this server: JSON in and out, and its refusals as errors with their code. */

/** A refusal of the server (RFC 9457), or `away` where it does not answer. */
export class ApiProblem extends Error {
  /** HTTP status; 0 where no answer came. */
  readonly status: number
  /** Stable code, as `run_not_found`; `away` where no answer came. */
  readonly code: string
  /** Seconds after which to come again. */
  readonly retryAfter: number | undefined

  constructor(status: number, code: string, detail: string, retryAfter?: number) {
    super(detail)
    this.status = status
    this.code = code
    this.retryAfter = retryAfter
  }

  /** True where the same request may do well later. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status === 503
  }
}

export interface Caller {
  /** Key of this tab; absent where there are none. */
  readonly key?: string | undefined
}

export interface ApiRequest extends Caller {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

/** @throws ApiProblem; an AbortError of the signal */
export async function send(
  path: string,
  { method = 'GET', key, headers, body, signal }: ApiRequest,
): Promise<Response> {
  const response = await fetch(path, {
    method,
    headers: {
      ...(key !== undefined && { Authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal !== undefined && { signal }),
    credentials: 'omit',
    cache: 'no-store',
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error
    throw new ApiProblem(0, 'away', 'the server does not answer')
  })
  if (response.ok) return response
  throw await problemOf(response)
}

/** @throws ApiProblem; TypeError for what is no JSON */
export async function getJson(path: string, request: ApiRequest): Promise<unknown> {
  const response = await send(path, { ...request, headers: { Accept: 'application/json', ...request.headers } })
  try {
    return await response.json()
  } catch (error) {
    if (request.signal?.aborted || error instanceof SyntaxError) throw error
    throw new ApiProblem(0, 'away', 'the answer broke off')
  }
}

async function problemOf(response: Response): Promise<ApiProblem> {
  const wait = Number(response.headers.get('Retry-After') ?? Number.NaN)
  const retryAfter = Number.isFinite(wait) ? wait : undefined
  const body: unknown = await response.json().catch(() => undefined)
  const { code, detail } = Object(body)
  if (typeof code !== 'string') {
    // No words of ours: a proxy in between.
    return new ApiProblem(response.status, 'unknown', `the answer was ${response.status}`, retryAfter)
  }
  return new ApiProblem(response.status, code, typeof detail === 'string' ? detail : code, retryAfter)
}

/** Path of a run, which may be followed by more. */
export function runPath(rid: string): string {
  return `/v1/runs/${encodeURIComponent(rid)}`
}
