/** The Node entry with keys, and the command line in front of it, as processes; and that no key is in what they print. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HttpBackend } from '../../src/client/index.ts'
import { jsonOf } from '../http/api.ts'
import { type Finished, runServer, type ServerProcess, startServer } from '../support/process.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const OPERATOR = 'operator-token-of-the-node-tests-7f3a'
const MCB = fileURLToPath(new URL('../../bin/mcb.mjs', import.meta.url))

describe('modes', () => {
  test.each([
    [{ HOST: '0.0.0.0' }, ['MCB_OPERATOR_TOKEN', 'MCB_AUTH=open']],
    [{ MCB_AUTH: 'keys' }, ['MCB_OPERATOR_TOKEN', 'openssl']],
    [{ MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: 'a b' }, ['MCB_OPERATOR_TOKEN']],
    [{ MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: 'x' }, ['MCB_OPERATOR_TOKEN', '32 characters', 'openssl']],
    [{ HOST: '0.0.0.0', MCB_OPERATOR_TOKEN: 'only-31-characters-are-too-few!' }, ['MCB_OPERATOR_TOKEN', '32']],
    [{ MCB_AUTH: 'maybe' }, ['MCB_AUTH', '"maybe"']],
    [{ MCB_CORS_ORIGINS: 'notebooks.example.org' }, ['MCB_CORS_ORIGINS', '"notebooks.example.org"']],
    [{ MCB_PUBLIC_URL: 'draws' }, ['MCB_PUBLIC_URL', '"draws"']],
  ])('%j: it says so in one sentence, and does not start', async (env, parts) => {
    const { code, output } = await runServer({ MCB_STORAGE: 'memory', ...env })
    expect(code).toBe(1)
    expect(output.trim().split('\n')).toHaveLength(1)
    for (const part of parts) expect(output).toContain(part)
    expect(output).not.toContain('a b')
    expect(output).not.toContain('only-31')
  })

  test('without keys where only this machine listens; there is one tenant, and nothing to manage', async () => {
    const server = await startServer({ MCB_STORAGE: 'memory' })
    expect(server.output()).toContain('no keys')
    expect(await jsonOf(await server.api.get('/v1/whoami'))).toMatchObject({
      tenant: 'local',
      key: null,
      scopes: ['read', 'write', 'admin'],
      limits: { requestsPerMinute: null, storedBytes: null, runs: null, bodyBytes: 64 * 2 ** 20 },
    })
    for (const path of ['/v1/tenants', '/v1/keys', '/v1/tenants/local']) {
      expect((await server.api.get(path)).status).toBe(403)
    }
    expect(await server.stop()).toBe(0)
  })
})

describe('with keys', () => {
  let folder: string
  let server: ServerProcess
  let printed = ''
  const secrets: string[] = [OPERATOR]

  beforeAll(async () => {
    folder = newFolder()
    server = await startServer({
      MCB_AUTH: 'keys',
      MCB_OPERATOR_TOKEN: OPERATOR,
      MCB_DATA_DIR: folder,
      MCB_CORS_ORIGINS: 'https://notebooks.example.org',
    })
  }, 120_000)
  afterAll(async () => {
    await server.stop('SIGKILL')
    removeFolder(folder)
  })

  /** Runs `mcb`. Its output that shows a new key is not kept among the texts that must hold no key. */
  async function mcb(
    token: string | undefined,
    args: readonly string[],
    input?: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Finished> {
    const { MCB_TOKEN: _, MCB_URL: __, ...env } = process.env
    const child = spawn(process.execPath, [MCB, ...args], {
      env: {
        ...env,
        MCB_PROFILE: join(folder, 'profile', 'profile.json'),
        ...(token !== undefined && { MCB_URL: server.url, MCB_TOKEN: token }),
        ...more,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text: string) => (output += text))
    }
    child.stdin.end(input ?? '')
    const [code] = await once(child, 'close')
    if (!args.includes('create')) printed += output
    return { code, output }
  }

  async function keyOf(token: string, args: readonly string[]): Promise<string> {
    const { code, output } = await mcb(token, [...args, '--json'])
    expect(code, output).toBe(0)
    const { key } = JSON.parse(output)
    secrets.push(key)
    return key
  }

  test('a lab from its first day to its last', async () => {
    expect(
      (await mcb(OPERATOR, ['tenants', 'create', 'lab', '--stored-bytes', '20G', '--runs', '500'])).output,
    ).toMatch(/lab +active +0 +0 B +- +500 +20\.0 GiB/)
    const admin = await keyOf(OPERATOR, ['keys', 'create', 'first', '--scopes', 'admin', '--tenant', 'lab'])
    const writer = await keyOf(admin, ['keys', 'create', 'sampler', '--scopes', 'write', '--expires', '30d'])

    const backend = new HttpBackend({ url: server.url, token: writer })
    const run = await backend.initRun({ rid: 'first', variables: [{ name: 'x', dtype: 'float64', shape: [2] }] })
    const chain = await run.initChain(0)
    for (let i = 0; i < 10; i++) await chain.append({ x: new Float64Array([i, -i]) })
    await chain.close()
    expect(await chain.getDraws('x', { start: -1 })).toMatchObject({ data: new Float64Array([9, -9]) })

    expect((await mcb(writer, ['whoami'])).output).toMatch(/tenant +lab\nkey +sampler \(\w+\)\nscopes +read,write/)
    expect((await mcb(writer, ['runs'])).output).toMatch(/first +- +live +1 +10 /)
    expect((await mcb(writer, ['runs', 'show', 'first'])).output).toMatch(
      /x +variable +float64 +\[2\] +-\n[\s\S]*\n +0 +10 /,
    )
    const reader = await keyOf(writer, ['shares', 'create', 'first', '--expires', '12h'])
    expect((await mcb(reader, ['runs', 'list'])).output).toContain('first')
    const keys = await mcb(admin, ['keys'])
    expect(keys.output).toMatch(/share of first +read +first/)
    expect((await mcb(admin, ['shares'])).output.trim().split('\n')).toHaveLength(2)
    expect((await mcb(OPERATOR, ['tenants', '--json'])).output).toContain('"storedBytes": 21474836480')

    const refusals: readonly (readonly [string, readonly string[], string])[] = [
      [reader, ['runs', 'delete', 'first', '--yes'], 'no scope "admin"'],
      [admin, ['runs', 'delete', 'first'], 'say --yes'],
      [admin, ['tenants'], "operator's token"],
      [`${admin}x`, ['whoami'], 'mcb login'],
      [admin, ['keys', 'create', 'x', '--scopes', 'root'], '"scopes.0"'],
      [admin, ['keys', 'create'], 'usage: mcb keys create NAME'],
      [admin, ['nonsense'], 'mcb --help'],
      [admin, ['keys', '--colour'], '--help'],
      [OPERATOR, ['tenants', 'limit', 'lab', '--runs', 'many'], '--runs must be'],
    ]
    for (const [token, args, says] of refusals) {
      const { code, output } = await mcb(token, args)
      const isOfArguments = /say --yes|usage:|--help|must be/.test(says)
      expect([code, output]).toEqual([isOfArguments ? 2 : 1, expect.stringContaining(says)])
      expect(output.trim().split('\n')).toHaveLength(1)
    }

    const [, id = ''] = writer.split('_')
    expect((await mcb(admin, ['keys', 'revoke', id])).code).toBe(0)
    const late = new HttpBackend({ url: server.url, token: writer })
    const begun = performance.now()
    await expect(late.getRun('first')).rejects.toMatchObject({ name: 'McbError', code: 'unauthorized' })
    // It is told at once: the client tries for five minutes where that could help.
    expect(performance.now() - begun).toBeLessThan(30_000)
    expect((await mcb(OPERATOR, ['tenants', 'delete', 'lab', '--yes'])).code).toBe(0)
    expect((await mcb(admin, ['whoami'])).code).toBe(1)
  }, 300_000)

  test('login keeps the key where only its owner reads it', async () => {
    const path = join(folder, 'profile', 'profile.json')
    expect((await mcb(undefined, ['whoami'])).output).toContain('MCB_URL')
    expect((await mcb(undefined, ['login', '--url', server.url], `${OPERATOR}\n`)).code).toBe(0)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'utf8')).toContain(OPERATOR)
    expect((await mcb(undefined, ['tenants'])).code).toBe(0)
    chmodSync(path, 0o644)
    const refused = await mcb(undefined, ['tenants'])
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining(`chmod 600 ${path}`)])
    expect((await mcb(undefined, ['logout'])).code).toBe(0)
    expect(existsSync(path)).toBe(false)
    expect((await mcb(undefined, ['login', '--url', server.url], 'wrong\n')).code).toBe(1)
    expect(existsSync(path)).toBe(false)
  }, 180_000)

  test('what was put in the wrong place is never printed', async () => {
    expect((await mcb(OPERATOR, ['tenants', 'create', 'misplaced'])).code).toBe(0)
    const key = await keyOf(OPERATOR, ['keys', 'create', 'first', '--scopes', 'admin', '--tenant', 'misplaced'])
    const hex = 'deadbeef0123456789abcdef0123456789abcdef'
    for (const secret of [key, hex]) {
      const all: readonly (readonly [readonly string[], string?, Record<string, string>?])[] = [
        [['login', secret]],
        [['login', '--url', server.url, secret]],
        [['login', `--${secret}`]],
        [['login', '--token', secret]],
        [['login', `--token=${secret}`]],
        [['login', '--url', secret]],
        [['login', '--url', `http://any:${secret}@127.0.0.1:1`]],
        [['login', '--url', server.url], `${secret} ü\n`],
        [['login', '--url', server.url], `${secret}x\n`],
        [['login', '--url', server.url], `"${secret}"\n`],
        [[secret]],
        [['whoami', secret]],
        [['keys', secret]],
        [['whoami', `--json=${secret}`]],
        [['whoami'], '', { MCB_URL: secret, MCB_TOKEN: 'x' }],
        [['whoami'], '', { MCB_URL: server.url, MCB_TOKEN: `${secret}\u{1f511}` }],
        [['tenants', 'limit', 'lab', '--runs', secret], '', { MCB_URL: server.url, MCB_TOKEN: OPERATOR }],
        [['keys', 'create', 'x', '--expires', secret], '', { MCB_URL: server.url, MCB_TOKEN: OPERATOR }],
      ]
      for (const [args, input, env] of all) {
        const { code, output } = await mcb(undefined, args, input, env)
        expect([1, 2], args.join(' ')).toContain(code)
        expect(output).toMatch(/^mcb: /)
        expect(output.trim().split('\n')).toHaveLength(1)
        expect(output).not.toContain(secret.slice(-20))
        expect(output).not.toContain('deadbeef')
      }
    }
    expect((await mcb(undefined, ['login', key])).output).toMatch(/standard input.*revoke/)
    expect((await mcb(OPERATOR, ['tenants', 'delete', 'misplaced', '--yes'])).code).toBe(0)
  }, 180_000)

  test('every command has help', async () => {
    for (const args of [['--help'], ['login', '--help'], ['keys', 'create', '--help'], ['tenants', 'limit', '-h']]) {
      const { code, output } = await mcb(undefined, args)
      expect([code, output]).toEqual([0, expect.stringContaining('usage: mcb')])
    }
  }, 180_000)

  test('pages of the origins that are named may send requests, and no others', async () => {
    const ask = (origin: string) => server.api.get('/healthz', { Origin: origin })
    const named = await ask('https://notebooks.example.org')
    expect(named.headers.get('Access-Control-Allow-Origin')).toBe('https://notebooks.example.org')
    expect(named.headers.get('Access-Control-Expose-Headers')).toContain('Mcb-Registration')
    expect((await ask('https://evil.example.org')).headers.get('Access-Control-Allow-Origin')).toBeNull()
    const preflight = await server.api.request('OPTIONS', '/v1/runs', {
      headers: {
        Origin: 'https://notebooks.example.org',
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'authorization,content-type',
      },
    })
    expect([preflight.status, preflight.headers.get('Access-Control-Allow-Headers')]).toEqual([
      204,
      expect.stringMatching(/Authorization.*Prefer/),
    ])
  })

  test('no key is in what they have printed, and every change is', async () => {
    // Keys where they do not belong.
    const [key = ''] = secrets.slice(1)
    await server.api.get(`/v1/runs/${key}`)
    await server.api.get(`/v1/runs?key=${key}`)
    const answer = await server.api.get(`/nothing/${key}`, { 'X-Request-Id': 'misplaced' })
    expect(await answer.text()).not.toContain(key)
    expect(await server.stop()).toBe(0)
    printed += server.output()
    expect(secrets.length).toBeGreaterThan(3)
    for (const secret of secrets) expect(printed).not.toContain(secret.slice(-24))
    expect(printed).not.toMatch(/mcb_[0-9A-Za-z]+_[0-9A-Za-z]/)
    const actions = [...printed.matchAll(/"action":"([\w.]+)"/g)].map(([, action]) => action)
    expect(actions).toEqual([
      'tenant.create',
      'key.create',
      'key.create',
      'share.create',
      'key.revoke',
      'tenant.delete',
      'tenant.create',
      'key.create',
      'tenant.delete',
    ])
  })
})
