/** A server with tenants and keys in memory, on a clock that tests move. */
import { expect } from 'vitest'
import type { ControlStore, Scope, TenantLimits } from '../../src/access/records.ts'
import { SqlControl } from '../../src/access/sql/sql-control.ts'
import { type AppOptions, createApp } from '../../src/app.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { AuditEntry } from '../../src/http/audit.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { FileDriver } from '../../src/sql/file.ts'
import { type Api, apiOf, jsonOf, META, PROTOBUF, runMeta } from '../http/api.ts'
import { MIGRATIONS } from '../support/storage.ts'

export const OPERATOR = 'the-operator-of-these-tests'
export const BEGIN = Date.UTC(2026, 10, 20, 12)

export interface Clock {
  now: number
}

export interface Server {
  readonly app: ReturnType<typeof createApp>
  readonly api: Api
  readonly audit: AuditEntry[]
  readonly reports: unknown[]
  /** A request with JSON and a bearer token. */
  call(token: string | undefined, method: string, path: string, body?: unknown): Promise<Response>
}

export interface World extends Server {
  readonly clock: Clock
  readonly control: ControlStore
  readonly backends: Map<string, StoreBackend>
  /** Another instance on the same storage and control database, with caches of its own. */
  another(more?: Partial<AppOptions>): Server
}

export function newControl(): SqlControl {
  return new SqlControl(new FileDriver({ path: ':memory:', migrations: MIGRATIONS }))
}

export function newWorld(more: Partial<AppOptions> & { control?: ControlStore } = {}): World {
  const { control = newControl(), ...options } = more
  const clock = { now: BEGIN }
  const stores = new Map<string, MemoryStore>()
  const openWith = (backends: Map<string, StoreBackend>) => (tenant: string) => {
    const store = stores.get(tenant) ?? new MemoryStore()
    stores.set(tenant, store)
    const backend = backends.get(tenant) ?? new StoreBackend(store)
    backends.set(tenant, backend)
    return backend
  }
  const serve = (given: Partial<AppOptions>, backends: Map<string, StoreBackend>): Server => {
    const audit: AuditEntry[] = []
    const reports: unknown[] = []
    const app = createApp({
      openBackend: openWith(backends),
      keys: { control, operatorToken: OPERATOR, closeBackend: (tenant) => backends.delete(tenant) },
      audit: (entry) => audit.push(entry),
      report: (_id, error) => reports.push(error),
      now: () => clock.now,
      ...given,
    })
    return serverOf(app, audit, reports)
  }
  const backends = new Map<string, StoreBackend>()
  const another = (given: Partial<AppOptions> = {}) => serve({ ...options, ...given }, new Map())
  return { ...serve(options, backends), clock, control, backends, another }
}

function serverOf(app: ReturnType<typeof createApp>, audit: AuditEntry[], reports: unknown[]): Server {
  const api = apiOf((request) => app.fetch(request))
  const call = (token: string | undefined, method: string, path: string, body?: unknown) =>
    api.request(method, path, {
      headers: { ...bearer(token), ...(body !== undefined && { 'Content-Type': 'application/json' }) },
      ...(body !== undefined && { body: new TextEncoder().encode(JSON.stringify(body)) }),
    })
  return { app, api, audit, reports, call }
}

export function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` }
}

export interface KeyWish {
  readonly scopes: readonly Scope[]
  readonly run?: string
  readonly expiresAt?: string
}

export interface MadeKey {
  readonly id: string
  readonly key: string
}

export async function newTenant({ call }: Server, tenant: string, limits: Partial<TenantLimits> = {}): Promise<void> {
  expect((await call(OPERATOR, 'POST', '/v1/tenants', { tenant, limits })).status).toBe(201)
}

export async function makeKey({ call }: Server, tenant: string, wish: KeyWish): Promise<MadeKey> {
  const answer = await call(OPERATOR, 'POST', `/v1/tenants/${tenant}/keys`, { name: 'test', ...wish })
  expect(answer.status).toBe(201)
  return jsonOf(answer)
}

/** A tenant with an admin key. */
export async function newLab(server: Server, tenant: string, limits: Partial<TenantLimits> = {}): Promise<string> {
  await newTenant(server, tenant, limits)
  return (await makeKey(server, tenant, { scopes: ['admin'] })).key
}

/** Registers `META` under this id, with a chain 0. */
export async function newRun({ api }: Server, key: string, rid: string, meta = META): Promise<void> {
  const headers = { ...bearer(key), 'Content-Type': PROTOBUF }
  const body = runMeta({ ...meta, rid })
  expect((await api.request('PUT', `/v1/runs/${rid}`, { headers, body })).status).toBe(201)
  expect((await api.request('PUT', `/v1/runs/${rid}/chains/0`, { headers })).status).toBe(201)
}
