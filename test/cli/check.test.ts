/** `mcb check` as a process in front of a server: findings that people read, and exit codes that scripts do. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HttpBackend, type HttpRun } from '../../src/client/index.ts'
import { parseJson } from '../../src/core/json.ts'
import { normals } from '../support/draws-of-chains.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { openServer, type TestServer } from './served.ts'

const MCB = fileURLToPath(new URL('../../bin/mcb.mjs', import.meta.url))
const DONE = { facts: { finishedAt: '2026-01-01T00:00:00Z' } }

let folder: string
let server: TestServer
let backend: HttpBackend

beforeAll(async () => {
  folder = newFolder()
  server = await openServer()
  backend = new HttpBackend({ url: server.url })
}, 60_000)
afterAll(async () => {
  await server.close()
  removeFolder(folder)
})

/** A run of four chains, all of which but the last are at the same place. */
async function runOf(rid: string, draws: number, shift: number): Promise<HttpRun> {
  const name = 'x\u001b[31m'
  const run = await backend.initRun({ rid, variables: [{ name, dtype: 'float64' }] })
  for (const number of [0, 1, 2, 3]) {
    const chain = await run.initChain(number)
    const next = normals(number)
    for (let i = 0; i < draws; i++) await chain.append({ [name]: next() + (number === 3 ? shift : 0) })
    await chain.close()
  }
  return run
}

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function start(args: readonly string[], url = server.url): ChildProcess {
  const { MCB_TOKEN: _, ...env } = process.env
  return spawn(process.execPath, [MCB, 'check', ...args], {
    cwd: folder,
    env: { ...env, MCB_URL: url, MCB_PROFILE: join(folder, 'profile.json') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Collects what a process says; `said` resolves when the text is there. */
function listen(child: ChildProcess) {
  const texts = { out: '', err: '' }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (texts.out += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (texts.err += text))
  const ended = once(child, 'close').then(([code]): Ended => ({ code, ...texts }))
  const said = (text: string) => expect.poll(() => texts.out, { timeout: 30_000 }).toContain(text)
  return { ended, said }
}

const mcb = (...args: readonly string[]) => listen(start(args)).ended

describe('mcb check', () => {
  test('has a line for each check, and 0 for a run that is well', async () => {
    const run = await runOf('good', 400, 0)
    const { code, out, err } = await mcb('good')
    expect(err).toBe('')
    const lines = out.trimEnd().split('\n')
    expect(lines[0]).toBe('good: ok, 400 draws a chain')
    expect(lines.slice(1).map((line) => line.slice(0, 21).trim().split(/ +/))).toEqual([
      ['ok', 'progress'],
      ['ok', 'finite'],
      ['ok', 'stuck'],
      ['unknown', 'divergences'],
      ['ok', 'rhat'],
      ['ok', 'ess'],
      ['unknown', 'bfmi'],
      ['unknown', 'treedepth'],
    ])
    expect(code).toBe(0)
    const { checks } = await run.checks()
    expect(lines[5]?.slice(21)).toBe(checks[4]?.message.replace('\u001b', '\\u001b'))
  })

  test('has 2 for a run that is bad, and says what to do', async () => {
    await runOf('bad', 200, 3)
    const { code, out } = await mcb('bad')
    expect(code).toBe(2)
    expect(out).toMatch(/^bad: fail, 200 draws a chain\n/)
    expect(out).toMatch(/\nfail {4}rhat {9}R-hat is up to .*without chain 3.*\n {21}Look at chain 3/)
    expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
    const json = await mcb('bad', '--json')
    expect(json.code).toBe(2)
    expect(parseJson(json.out)).toMatchObject({ rid: 'bad', status: 'fail', draws: 200 })
  })

  test('has 1 for a warning, and 3 where nothing can be said', async () => {
    await runOf('short', 60, 0)
    expect(await mcb('short')).toMatchObject({ code: 1, out: expect.stringMatching(/^short: warn/) })
    await runOf('few', 20, 0)
    expect(await mcb('few')).toMatchObject({ code: 3, out: expect.stringMatching(/^few: unknown/) })
    expect(await mcb('none')).toMatchObject({ code: 3, out: '', err: expect.stringContaining('no run "none"') })
    const nobody = await listen(start(['few'], 'http://127.0.0.1:9')).ended
    expect(nobody).toMatchObject({ code: 3, err: expect.stringContaining('cannot be reached') })
    expect(await mcb('few', '--unheard-of')).toMatchObject({ code: 2 })
  })

  test('watches until the run is done, and tells what changes', async () => {
    const run = await runOf('growing', 20, 0)
    const { ended, said } = listen(start(['growing', '--watch']))
    await said('growing: unknown, 20 draws a chain')
    for (const number of [0, 1, 2, 3]) {
      const chain = await run.initChain(number)
      const next = normals(number + 9)
      for (let i = 0; i < 400; i++) await chain.append({ 'x\u001b[31m': next() })
      await chain.close()
    }
    await said('ess: unknown → ok. The least')
    await run.setAbout(DONE)
    const { code, out, err } = await ended
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/\n\d\d:\d\d:\d\d {2}rhat: unknown → ok\. R-hat is at most/)
    // A check was what it had become before.
    const seen = [...out.matchAll(/^[\d:]{8} {2}(\w+): (\w+) → (\w+)\. /gm)].filter(([, check]) => check === 'ess')
    expect(seen.map(([, , was]) => was)).toEqual(['unknown', ...seen.slice(0, -1).map(([, , , is]) => is)])
    expect(seen.map(([, , was, is]) => was === is)).not.toContain(true)
  }, 60_000)

  test('ends quietly with Ctrl-C, and when the run is deleted', async () => {
    const run = await runOf('stopped', 30, 3)
    const child = start(['stopped', '--watch'])
    const stopped = listen(child)
    const deleted = listen(start(['stopped', '--watch']))
    await stopped.said('stopped: fail')
    child.kill('SIGINT')
    expect(await stopped.ended).toMatchObject({ code: 130, err: 'mcb: stopped; the run goes on\n' })
    await deleted.said('stopped: fail')
    await backend.deleteRun(run.rid)
    expect(await deleted.ended).toMatchObject({ code: 2, out: expect.stringContaining('run stopped is deleted') })
  }, 60_000)
})
