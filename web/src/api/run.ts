/** Requests about one run, and about the list. */
import * as v from 'valibot'
import { type Caller, getJson, runPath, send } from './http.ts'
import {
  type About,
  about,
  type ChainState,
  type Checks,
  chainList,
  checks,
  type RunMetaJson,
  type RunPage,
  runMeta,
  runPage,
} from './shapes.ts'

export interface Asking extends Caller {
  readonly signal?: AbortSignal | undefined
}

export interface ListQuery {
  readonly q?: string | undefined
  readonly tag?: readonly string[] | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly updatedSince?: string | undefined
  /** Attributes, each a key and a value's text. */
  readonly attr?: readonly (readonly [key: string, value: string])[] | undefined
  readonly archived?: 'true' | 'false' | 'any' | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

export async function listRuns(query: ListQuery, asking: Asking): Promise<RunPage> {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (name === 'tag') for (const tag of query.tag ?? []) params.append('tag', tag)
    else if (name === 'attr') for (const [key, text] of query.attr ?? []) params.append(`attr.${key}`, text)
    else if (value !== undefined) params.append(name, String(value))
  }
  return v.parse(runPage, await getJson(`/v1/runs?${params}`, asking))
}

export async function getAbout(rid: string, asking: Asking): Promise<About> {
  return v.parse(about, await getJson(`${runPath(rid)}/about`, asking))
}

export interface AboutPatch {
  readonly name?: string | null
  readonly tags?: readonly string[] | null
  readonly notes?: string | null
  readonly archived?: boolean | null
}

export async function patchAbout(rid: string, patch: AboutPatch, asking: Asking): Promise<About> {
  const headers = { 'Content-Type': 'application/merge-patch+json' }
  const response = await send(`${runPath(rid)}/about`, { ...asking, method: 'PATCH', body: patch, headers })
  return v.parse(about, await response.json())
}

export async function deleteRun(rid: string, asking: Asking): Promise<void> {
  await send(runPath(rid), { ...asking, method: 'DELETE' })
}

const shareLink = v.object({ url: v.string() })

/** A link that shows this run alone. @param expiresAt end of its time (RFC 3339); null for none */
export async function shareRun(rid: string, expiresAt: string | null, asking: Asking): Promise<string> {
  const response = await send(`${runPath(rid)}/shares`, { ...asking, method: 'POST', body: { expiresAt } })
  return v.parse(shareLink, await response.json()).url
}

/** Metadata of a run, and the identity of its registration. */
export async function getMeta(
  rid: string,
  asking: Asking,
): Promise<{ readonly meta: RunMetaJson; readonly registration: string }> {
  const response = await send(runPath(rid), { ...asking, headers: { Accept: 'application/json' } })
  return {
    meta: v.parse(runMeta, await response.json()),
    registration: response.headers.get('Mcb-Registration') ?? '',
  }
}

export async function getChains(rid: string, asking: Asking): Promise<readonly ChainState[]> {
  return v.parse(chainList, await getJson(`${runPath(rid)}/chains`, asking)).chains
}

/** Checks as far as they are known within `wait` seconds; `progress` is there while some are not. */
export async function getChecks(
  rid: string,
  asking: Asking & { readonly registration?: string; readonly wait: number },
): Promise<Checks> {
  const { registration, wait, ...rest } = asking
  const headers = { ...(registration !== undefined && { 'Mcb-Registration': registration }), Prefer: `wait=${wait}` }
  return v.parse(checks, await getJson(`${runPath(rid)}/checks`, { ...rest, headers }))
}
