/** Servers of the tests in a browser: the Node entry with the page as it is built, with keys and without. */
import { HttpBackend } from '../../../src/client/index.ts'
import { jsonOf } from '../../http/api.ts'
import { type ServerProcess, startServer } from '../../support/process.ts'
import { newFolder, removeFolder } from '../../support/storage.ts'

export interface PageServer {
  readonly url: string
  readonly backend: HttpBackend
  /** A JSON answer of the API; fails the test when it is none. */
  json(path: string, headers?: Readonly<Record<string, string>>): Promise<ReturnType<typeof JSON.parse>>
  send(method: string, path: string, body?: unknown): Promise<Response>
  /** Ends the process; the draws stay. */
  stop(): Promise<void>
  /** Starts it again on the same port and the same draws. */
  startAgain(): Promise<void>
  /** Ends it and removes its draws. */
  close(): Promise<void>
}

export interface KeyedServer extends PageServer {
  readonly admin: string
  keyOf(scope: 'read' | 'write', run?: string): Promise<string>
  revoke(key: string): Promise<void>
}

const OPERATOR = 'operator-token-of-the-page-tests-0c41'

export async function openServer(env: Readonly<Record<string, string>> = {}): Promise<PageServer> {
  const started = await startOn(env)
  return serverOf(started, undefined)
}

export async function keyedServer(): Promise<KeyedServer> {
  const started = await startOn({ MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: OPERATOR })
  const { url } = started.server()
  const made = await sendTo(url, OPERATOR, 'POST', '/v1/tenants', { tenant: 'lab' })
  if (!made.ok) throw new Error(await made.text())
  const first = await sendTo(url, OPERATOR, 'POST', '/v1/tenants/lab/keys', { name: 'first', scopes: ['admin'] })
  const { key: admin } = await jsonOf(first)
  const ids = new Map<string, string>()
  const server = serverOf(started, admin)
  return {
    ...server,
    admin,
    keyOf: async (scope, run) => {
      const body = { name: `page ${scope}`, scopes: [scope], ...(run !== undefined && { run }) }
      const { id, key } = await jsonOf(await server.send('POST', '/v1/keys', body))
      ids.set(key, id)
      return key
    },
    revoke: async (key) => {
      const answer = await server.send('DELETE', `/v1/keys/${ids.get(key)}`)
      if (!answer.ok) throw new Error(await answer.text())
    },
  }
}

interface Running {
  server(): ServerProcess
  again(): Promise<void>
  remove(): Promise<void>
}

async function startOn(env: Readonly<Record<string, string>>): Promise<Running> {
  const folder = newFolder()
  const all = { ...env, MCB_DATA_DIR: folder, MCB_LOG: 'quiet' }
  let server = await startServer(all)
  const port = new URL(server.url).port
  return {
    server: () => server,
    again: async () => {
      server = await startServer({ ...all, PORT: port })
    },
    remove: async () => {
      await server.stop('SIGKILL')
      removeFolder(folder)
    },
  }
}

function serverOf(running: Running, key: string | undefined): PageServer {
  const { url } = running.server()
  const send = (method: string, path: string, body?: unknown) => sendTo(url, key, method, path, body)
  return {
    url,
    backend: new HttpBackend({ url, ...(key !== undefined && { token: key }), flush: { interval: 50 } }),
    send,
    json: async (path, headers = {}) => {
      const answer = await fetch(`${url}${path}`, {
        headers: { Accept: 'application/json', ...authorization(key), ...headers },
      })
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
      return jsonOf(answer)
    },
    stop: async () => {
      await running.server().stop()
    },
    startAgain: () => running.again(),
    close: () => running.remove(),
  }
}

function sendTo(url: string, key: string | undefined, method: string, path: string, body?: unknown): Promise<Response> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  return fetch(`${url}${path}`, {
    method,
    headers: { ...authorization(key), ...(body !== undefined && { 'Content-Type': type }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

function authorization(key: string | undefined): { Authorization?: string } {
  return key === undefined ? {} : { Authorization: `Bearer ${key}` }
}
