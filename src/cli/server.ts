/** Requests of the command line, and their failures as sentences for its user. */
import { JSON_TYPE } from '../core/media-types.ts'
import { CliError } from './cli-error.ts'
import type { Profile } from './profile.ts'

export interface JsonObject {
  readonly [member: string]: unknown
}

export type Call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) => Promise<JsonObject>

const ADVICE: Readonly<Record<string, string>> = {
  unauthorized: 'run "mcb login" with a key that is valid, or set MCB_TOKEN',
  forbidden: "it needs another key, or the operator's token",
  tenant_suspended: 'ask the operator',
  tenant_not_found: '"mcb tenants" lists those there are',
  key_not_found: '"mcb keys" lists those there are',
  run_not_found: '"mcb runs" lists those there are',
}

export function callServer({ url, token }: Profile): Call {
  return async (method, path, body) => {
    const headers = {
      Accept: JSON_TYPE,
      ...(token !== '' && { Authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'Content-Type': JSON_TYPE }),
    }
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const response = await fetch(url + path, init).catch((error: unknown) => {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
      throw new CliError(`${url} cannot be reached (${cause}); is MCB_URL right, and does the server run?`)
    })
    const text = await response.text()
    if (response.ok) return text === '' ? {} : objectIn(text, url)
    const problem = objectIn(text, url)
    const advice = typeof problem.code === 'string' ? ADVICE[problem.code] : undefined
    const wait = response.headers.get('Retry-After')
    const what =
      typeof problem.detail === 'string' ? problem.detail : `${method} ${path} was answered with ${response.status}`
    throw new CliError(
      [what, advice ?? (wait === null ? undefined : `try again in ${wait} s`)].filter(Boolean).join('; '),
    )
  }
}

function objectIn(text: string, url: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch {
    // Told below.
  }
  throw new CliError(`${url} does not answer as a McBackend server does; is MCB_URL right?`)
}
