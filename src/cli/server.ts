/** Requests of the command line, and their failures as sentences for its user. */
import { HttpBackend, type HttpRun } from '../client/index.ts'
import type { HttpBackendOptions } from '../client/options.ts'
import { isObject, type JsonObject, parseJson } from '../core/json.ts'
import { JSON_TYPE } from '../core/media-types.ts'
import { CliError, refusal } from './cli-error.ts'
import type { Profile } from './profile.ts'

export type Call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) => Promise<JsonObject>

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
      throw refusal(`${url} cannot be reached (${cause})`, 'storage_unavailable', undefined)
    })
    const text = await response.text()
    if (response.ok) return text === '' ? {} : objectIn(text, url)
    const { detail, code } = objectIn(text, url)
    const what = typeof detail === 'string' ? detail : `${method} ${path} was answered with ${response.status}`
    throw refusal(what, typeof code === 'string' ? code : undefined, response.headers.get('Retry-After') ?? undefined)
  }
}

function objectIn(text: string, url: string): JsonObject {
  try {
    const value = parseJson(text)
    if (isObject(value)) return value
  } catch {
    // Told below.
  }
  throw new CliError(`${url} does not answer as a McBackend server does; is MCB_URL right?`)
}

/** Options of a client for this server. */
export function clientOptions({ url, token }: Profile): HttpBackendOptions {
  return { url, ...(token !== '' && { token }) }
}

/** A client that tells a failure at once: somebody waits for it. */
export function openBackend(profile: Profile): HttpBackend {
  return new HttpBackend({ ...clientOptions(profile), retry: { limit: 0 } })
}

/** @throws CliError when there is no such run */
export async function requireRun(backend: HttpBackend, rid: string): Promise<HttpRun> {
  const run = await backend.getRun(rid)
  if (run !== undefined) return run
  throw refusal(`there is no run "${rid}"`, 'run_not_found', undefined)
}
