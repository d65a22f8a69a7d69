/** The kit's server side: this project's server passes it, with keys and without, and planted faults do not. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, FailingProxy, type Passing, type Plan } from '../../conformance/kit/proxy.ts'
import { jsonOf } from '../http/api.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const MAIN = resolve(import.meta.dirname, '../../conformance/kit/main.ts')
const OPERATOR = 'operator-token-of-the-conformance-kit-5b1e'

interface Outcome {
  readonly code: number | null
  readonly said: string
}

/** The command, as a user calls it. */
async function conform(...args: readonly string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [said, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, said: said + errors }
}

const only = (...topics: readonly string[]) => topics.flatMap((topic) => ['--only', topic])

const FOLDERS = [newFolder(), newFolder()]
let open: ServerProcess
let closed: ServerProcess
let key: string

beforeAll(async () => {
  const [first = '', second = ''] = FOLDERS
  open = await startServer({ MCB_DATA_DIR: first })
  closed = await startServer({ MCB_DATA_DIR: second, MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: OPERATOR })
  const headers = { Authorization: `Bearer ${OPERATOR}`, 'Content-Type': 'application/json' }
  const post = (path: string, value: object) =>
    closed.api.request('POST', path, { headers, body: new TextEncoder().encode(JSON.stringify(value)) })
  expect((await post('/v1/tenants', { tenant: 'lab' })).status).toBe(201)
  const made = await post('/v1/tenants/lab/keys', { name: 'kit', scopes: ['read', 'write', 'admin'] })
  key = (await jsonOf(made)).key
})

afterAll(async () => {
  await open.stop()
  await closed.stop()
  FOLDERS.forEach(removeFolder)
})

test('the server passes every topic, and nothing is left there', async () => {
  const { code, said } = await conform('--server', open.url)
  expect(said).toMatch(/\n\d{3,} passed, 0 failed, 1 skipped\n/)
  expect(said).toContain('no --token was given')
  expect(code).toBe(0)
  expect(await jsonOf(await open.api.get('/v1/runs'))).toEqual({ runs: [] })
})

test('with keys as well', async () => {
  const topics = only('keys', 'runs', 'appending', 'doors')
  const { code, said } = await conform('--server', closed.url, '--token', key, ...topics)
  expect(said).toMatch(/\n\d+ passed, 0 failed, 0 skipped\n/)
  expect(code).toBe(0)
  const headers = { Authorization: `Bearer ${key}` }
  expect(await jsonOf(await closed.api.get('/v1/runs', headers))).toEqual({ runs: [] })
  expect((await jsonOf(await closed.api.get('/v1/keys', headers))).keys).toHaveLength(1)
})

test.each([
  ['a server that is not there', () => ['http://127.0.0.1:1'], /cannot be reached/],
  ['a key that is missing', () => [closed.url], /asks for a key.*--token/],
  ['another program', () => [`${open.url}/docs`], /is the address right/],
  ['two at once', () => [open.url, '--driver', 'true'], /goes without --driver/],
  ['an unknown topic', () => [open.url, '--only', 'all'], /no topic all; there are: runs/],
])('%s is told as bad usage', async (_what, args, told) => {
  const { code, said } = await conform('--server', ...args())
  expect(said).toMatch(told)
  expect(code).toBe(2)
})

/** Faults of servers, each with the topic and a part of the name of a test that must find it. */
const FAULTS: readonly {
  readonly what: string
  readonly topic: string
  readonly found: string
  /** The answer in place of the server's. */
  spoil(answer: Answer, passing: Passing): Answer
}[] = [
  {
    what: 'no Mcb-Registration',
    topic: 'runs',
    found: '201, then 200, with the registration and nothing else',
    spoil: ({ headers: { 'mcb-registration': _registration, ...headers }, ...answer }) => ({ ...answer, headers }),
  },
  {
    what: '200 in place of a conflict',
    topic: 'appending',
    found: 's + n ≤ L, other content',
    spoil: (answer) => (answer.status === 409 ? { ...answer, status: 200 } : answer),
  },
  {
    what: 'runs in the order of registration',
    topic: 'listing',
    found: 'in reverse order of registration',
    spoil: (answer, { target }) => {
      if (!target.startsWith('/v1/runs?')) return answer
      const page = JSON.parse(String(answer.body))
      page.runs?.reverse()
      return { ...answer, body: Buffer.from(JSON.stringify(page)) }
    },
  },
  {
    what: 'draws that are not those that were asked for',
    topic: 'reading',
    found: 'slices, as Python answers',
    spoil: (answer, { target }) => (target.includes('step=-') ? { ...answer, body: Buffer.alloc(0) } : answer),
  },
  {
    what: 'errors without a code',
    topic: 'refusals',
    found: 'run_not_found: a run',
    spoil: (answer) => (answer.status === 404 ? { ...answer, body: Buffer.from('{"title":"Not found"}') } : answer),
  },
  {
    what: 'an ETag that stays',
    topic: 'etags',
    found: 'each answer has its own',
    spoil: (answer) => ({ ...answer, headers: { ...answer.headers, etag: '"always"' } }),
  },
]

/** The outcome of some topics at the open server behind a proxy that does this to requests. */
async function conformThrough(plan: Plan, ...topics: readonly string[]): Promise<Outcome> {
  const proxy = await FailingProxy.start(open.url)
  proxy.plan = plan
  try {
    return await conform('--server', proxy.url, ...only(...topics))
  } finally {
    await proxy.stop()
  }
}

test('behind a proxy that does nothing, the server passes', async () => {
  const { code, said } = await conformThrough(() => undefined, 'runs', 'appending', 'listing', 'reading', 'etags')
  expect(said).toContain(', 0 failed,')
  expect(code).toBe(0)
})

test.each(FAULTS)('found: $what', async ({ topic, found, spoil }) => {
  const plan: Plan = (passing) => async (ask) => spoil(await ask(), passing)
  const { code, said } = await conformThrough(plan, topic)
  expect(said).toMatch(/, [1-9]\d* failed, /)
  expect(said.slice(said.indexOf('\nfailed\n'))).toContain(found)
  expect(code).toBe(1)
})

test('a server without what later sections add passes, and each lack is told', async () => {
  const later =
    /\/(about|summary|summary\.csv|checks|trace|data\.zarr|data\.nc|draws\.csv|draws\.npy|stan\.csv|events)\b/
  const headers = { 'content-type': 'application/problem+json' }
  const missing = { status: 404, headers, body: Buffer.from('{"code":"not_found"}') }
  const plan: Plan = ({ target }) => (later.test(target) ? async () => missing : undefined)
  const { code, said } = await conformThrough(plan, 'about', 'figures', 'doors', 'chains')
  expect(said).toMatch(/, 0 failed, 16 skipped\n/)
  expect(said).toContain('the server has no netCDF file: 404 not_found')
  expect(code).toBe(0)
})
