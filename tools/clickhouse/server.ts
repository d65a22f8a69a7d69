/**
 * ClickHouse's HTTP interface, as far as the official clients use it, over the engine in this process.
 *
 * https://clickhouse.com/docs/interfaces/http
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { gunzipSync, gzipSync } from 'node:zlib'
import { type Engine, EngineError, type Result } from './engine.ts'
import type { Inserts } from './inserts.ts'
import { bindParams, parseQuery, withSettings } from './sql.ts'
import { httpStatus } from './status.ts'

/** Query parameters of the interface that are no settings. */
const NO_SETTINGS =
  /^(query|database|default_format|query_id|user|password|session_id|session_timeout|session_check|role|enable_http_compression|compress|decompress|quota_key|stacktrace|send_progress_in_http_headers|http_headers_progress_interval_ms|wait_end_of_query|cancel_http_readonly_queries_on_client_close|param_.*)$/

const TAKES_SETTINGS = /^\s*(SELECT|WITH|INSERT|DELETE|ALTER|OPTIMIZE)\b/i

/** The format of an answer to an INSERT, whatever that of its data is. */
const NO_ROWS = 'TabSeparated'

export interface Credentials {
  readonly user: string
  readonly password: string
}

interface Answer {
  readonly result: Result | undefined
  readonly format: string
}

export function serve(engine: Engine, inserts: Inserts, credentials: Credentials | undefined): Server {
  return createServer((request, response) => {
    void handle(request, response).catch((error: unknown) => {
      console.error(error)
      response.destroy()
    })
  })

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost')
    if (url.pathname === '/ping' || (url.pathname === '/' && request.method === 'GET' && url.search === '')) {
      response.end('Ok.\n')
      return
    }
    const queryId = url.searchParams.get('query_id') ?? randomUUID()
    response.setHeader('X-ClickHouse-Query-Id', queryId)
    response.setHeader('X-ClickHouse-Server-Display-Name', 'development')
    response.setHeader('X-ClickHouse-Timezone', 'UTC')
    try {
      if (url.pathname !== '/') throw new EngineError(404, 'There is no handle here, only / and /ping')
      const body = await readBody(request)
      authenticate(request, url, credentials)
      send(request, response, url, await answer(request, url, body))
    } catch (error) {
      sendError(response, error)
    }
  }

  async function answer(request: IncomingMessage, url: URL, body: Buffer): Promise<Answer> {
    const inUrl = url.searchParams.get('query') ?? ''
    const headEnd = inUrl === '' ? endOfInsertHead(body) : 0
    const text = inUrl === '' ? body.toString('utf8', 0, headEnd) : inUrl
    // A query that begins in the URL goes on in the body, unless that holds data.
    const query = parseQuery(parseQuery(text).takesData || inUrl === '' ? text : `${inUrl}\n${body.toString('utf8')}`)
    const { params, settings } = variablesOf(url)
    const database = databaseOf(request, url)
    const format = query.format ?? url.searchParams.get('default_format') ?? 'TabSeparated'
    const bound = bindParams(query.sql, params)
    if (query.takesData) {
      const insert = { sql: bound, format, database, settings, body: body.subarray(headEnd) }
      return { result: await inserts.insert(insert), format: NO_ROWS }
    }
    const sql = TAKES_SETTINGS.test(query.sql) ? withSettings(bound, settings) : bound
    if (query.isInsert) return { result: await engine.run(sql, 'Null', database), format: NO_ROWS }
    return { result: await engine.run(sql, format, database), format }
  }
}

function databaseOf(request: IncomingMessage, url: URL): string {
  return url.searchParams.get('database') ?? headerOf(request, 'x-clickhouse-database') ?? 'default'
}

/** Parameters of the query, and settings that it is run with. */
function variablesOf(url: URL): { readonly params: Map<string, string>; readonly settings: Map<string, string> } {
  const params = new Map<string, string>()
  const settings = new Map<string, string>()
  for (const [name, value] of url.searchParams) {
    if (name.startsWith('param_')) params.set(name.slice(6), value)
    else if (!NO_SETTINGS.test(name)) settings.set(name, value)
  }
  return { params, settings }
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  const bytes = Buffer.concat(parts)
  return headerOf(request, 'content-encoding') === 'gzip' ? gunzipSync(bytes) : bytes
}

/** Index of the data in a body that holds `INSERT … FORMAT name` and then, behind white space, the data. */
function endOfInsertHead(body: Buffer): number {
  const start = body.toString('latin1', 0, 4096)
  const head = /^\s*INSERT\s[^;]*?\bFORMAT\s+(?!Values\b)[A-Za-z][A-Za-z0-9]*[ \t]*\r?\n?/i.exec(start)
  return head === null || /\bSELECT\b/i.test(head[0]) ? body.length : head[0].length
}

/** By headers, by Basic authentication or in the URL, as the server takes it. */
function authenticate(request: IncomingMessage, url: URL, expected: Credentials | undefined): void {
  if (expected === undefined) return
  const basic = /^Basic (.+)$/i.exec(headerOf(request, 'authorization') ?? '')?.[1]
  const [name, ...rest] = basic === undefined ? [] : Buffer.from(basic, 'base64').toString('utf8').split(':')
  const user = name ?? headerOf(request, 'x-clickhouse-user') ?? url.searchParams.get('user') ?? 'default'
  const given =
    basic === undefined ? (headerOf(request, 'x-clickhouse-key') ?? url.searchParams.get('password')) : rest.join(':')
  if (user === expected.user && (given ?? '') === expected.password) return
  const why = `${user}: Authentication failed: password is incorrect, or there is no user with such name.`
  throw new EngineError(516, `Code: 516. DB::Exception: ${why} (AUTHENTICATION_FAILED)`)
}

function send(request: IncomingMessage, response: ServerResponse, url: URL, { result, format }: Answer): void {
  const bytes = result?.bytes ?? new Uint8Array()
  const { resultRows = 0, resultBytes = 0, elapsed = 0 } = result ?? {}
  const summary = { result_rows: resultRows, result_bytes: resultBytes, elapsed_ns: Math.round(elapsed * 1e9) }
  const text = Object.fromEntries(Object.entries(summary).map(([name, value]) => [name, String(value)]))
  response.setHeader('X-ClickHouse-Summary', JSON.stringify(text))
  response.setHeader('X-ClickHouse-Format', format)
  response.setHeader('Content-Type', contentType(format))
  const packs =
    url.searchParams.get('enable_http_compression') === '1' &&
    /\bgzip\b/.test(headerOf(request, 'accept-encoding') ?? '')
  if (packs) response.setHeader('Content-Encoding', 'gzip')
  const body = packs ? gzipSync(bytes, { level: 3 }) : bytes
  response.setHeader('Content-Length', body.length)
  response.end(body)
}

function contentType(format: string): string {
  if (/^JSON/.test(format)) return 'application/json; charset=UTF-8'
  if (/^TabSeparated|^TSV/.test(format)) return 'text/tab-separated-values; charset=UTF-8'
  if (/^CSV/.test(format)) return 'text/csv; charset=UTF-8; header=absent'
  return 'application/octet-stream'
}

function sendError(response: ServerResponse, error: unknown): void {
  const failure = error instanceof EngineError ? error : new EngineError(1002, `Code: 1002. DB::Exception: ${error}`)
  response.statusCode = failure.code === 404 ? 404 : httpStatus(failure.code)
  response.setHeader('X-ClickHouse-Exception-Code', failure.code)
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8')
  const text = failure.message.includes('(version ') ? failure.message : `${failure.message} (version 26.7.2.1)`
  response.end(`${text}\n`)
}
