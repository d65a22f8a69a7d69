/** The key of this tab, and the rights that it gives. */
import { computed, signal } from '@preact/signals'
import * as v from 'valibot'
import { ApiProblem, getJson } from '../api/http.ts'

const STORED = 'mcb.key'
const SCOPES = ['read', 'write', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

export interface Rights {
  readonly scopes: readonly Scope[]
  /** The one run that the key is for; null for a key of a whole tenant. */
  readonly run: string | null
  readonly tenant: string | null
  /** Name of the key; null where there are no keys. */
  readonly key: string | null
}

const whoami = v.object({
  tenant: v.nullable(v.string()),
  key: v.nullable(v.object({ id: v.string(), name: v.string() })),
  scopes: v.array(v.string()),
  run: v.nullable(v.string()),
})

/** A key as it may stand behind the # of a link to a shared run; other fragments are none. */
const KEY = /^mcb_[\w-]+$/

const known = signal<string | undefined>(keyAtStart())
/** The key of requests; undefined where none was given. */
export const key = computed(() => known.value)

/** Reason why a key is asked for: none was given, the server does not know it, or the link's part behind the # is none. */
export type Locked = 'none' | 'wrong' | 'link'

export type Session =
  | { readonly state: 'asking' }
  /** The server wants a key. */
  | { readonly state: 'locked'; readonly why: Locked }
  | { readonly state: 'open'; readonly rights: Rights }
  | { readonly state: 'away' }

const now = signal<Session>({ state: 'asking' })
export const session = computed(() => now.value)

export function may(scope: Scope): boolean {
  return now.value.state === 'open' && now.value.rights.scopes.includes(scope)
}

/** Asks the server who this is, until it answers. */
export async function begin(): Promise<void> {
  for (let pause = 500; ; pause = Math.min(5000, 2 * pause)) {
    const answer = await ask()
    if (answer.state !== 'away') {
      if (answer.state === 'locked') lock(answer.why)
      else now.value = answer
      return
    }
    if (now.value.state === 'asking') now.value = answer
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}

async function ask(): Promise<Session> {
  try {
    const { tenant, key: holder, scopes, run } = v.parse(whoami, await getJson('/v1/whoami', { key: known.value }))
    const held = SCOPES.filter((scope) => scopes.includes(scope))
    return { state: 'open', rights: { tenant, run, scopes: held, key: holder?.name ?? null } }
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status !== 401) return { state: 'away' }
    if (known.value !== undefined) return { state: 'locked', why: 'wrong' }
    return { state: 'locked', why: location.hash.length > 1 ? 'link' : 'none' }
  }
}

/** Takes a key for this tab: it stays until the tab is closed, and no other tab sees it. */
export async function unlock(given: string): Promise<void> {
  known.value = given
  keep(given)
  now.value = { state: 'asking' }
  await begin()
}

/** Forgets the key. */
export function lock(why: Locked): void {
  known.value = undefined
  keep(undefined)
  now.value = { state: 'locked', why }
}

function keyAtStart(): string | undefined {
  const fragment = location.hash.slice(1)
  if (KEY.test(fragment)) return fragment
  try {
    return sessionStorage.getItem(STORED) ?? undefined
  } catch {
    return undefined
  }
}

function keep(value: string | undefined): void {
  try {
    if (value === undefined) sessionStorage.removeItem(STORED)
    else sessionStorage.setItem(STORED, value)
  } catch {
    // A browser that keeps nothing: the key lasts until the page is loaded again.
  }
}

// Another link to a shared run in the address bar changes the fragment alone, and loads nothing by itself.
addEventListener('hashchange', () => location.reload())
