/** `npm run conform -- --server URL`: holds a server against the contract. */
import { join, resolve } from 'node:path'
import { startVitest } from 'vitest/node'
import { UsageError } from '../arguments.ts'
import { Report } from '../report.ts'
import { send } from './remote.ts'
import type { AskedServer } from './settings.ts'

/** Milliseconds that a test may take. */
const TEST_MS = 120_000

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json()
  } catch {
    return undefined
  }
}

const hasList = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && 'runs' in body && Array.isArray(body.runs)

/** Looks at the list of runs with the key and without. @throws UsageError */
async function reasonForNoKeys(url: string, token: string | undefined): Promise<string | undefined> {
  const list = '/v1/runs?limit=1'
  const response = await send({ url, token }, 'GET', list).catch((error: unknown) => {
    throw new UsageError(`the server cannot be reached: ${error instanceof Error ? error.message : error}`)
  })
  if (response.status === 401 || response.status === 403) {
    const way = token === undefined ? 'give one with --token' : 'give another one with --token'
    throw new UsageError(`${url} asks for a key that may read, write and delete runs: ${way}`)
  }
  if (!response.ok || !hasList(await jsonOf(response))) {
    throw new UsageError(`${url}${list} is no list of runs (status ${response.status}): is the address right?`)
  }
  if (token === undefined) return 'no --token was given'
  await expectAdmin(url, token)
  const { status } = await send({ url }, 'GET', list)
  return status === 401 ? undefined : 'the server answers without a key'
}

/** The key may delete: the tests leave nothing behind. Asked of a run that is not there. @throws UsageError */
async function expectAdmin(url: string, token: string): Promise<void> {
  const { status } = await send({ url, token }, 'DELETE', '/v1/runs/mcb-conform-no-run-of-this-name')
  if (status === 403) throw new UsageError('the key may not delete runs: give one of the scope admin with --token')
}

/** Tests the server, and says what it finds. @throws UsageError */
export async function runServer(asked: AskedServer, say: (line: string) => void): Promise<Report> {
  const server = { ...asked, whyNoKeys: await reasonForNoKeys(asked.server, asked.token) }
  const report = new Report(say)
  const vitest = await startVitest([], {
    root: resolve(import.meta.dirname, '../../..'),
    config: false,
    watch: false,
    include: [join(import.meta.dirname, 'server.test.ts')],
    reporters: [report],
    silent: true,
    provide: { server },
    testTimeout: TEST_MS,
    hookTimeout: TEST_MS,
  })
  await vitest.close()
  return report
}
