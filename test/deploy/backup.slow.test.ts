/** deploy/backup.sh and deploy/restore-drill.sh, run for real: copies beside a server that writes, and copies that are damaged. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SqliteStore } from '../../src/backends/sqlite/sqlite-store.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { FileDriver } from '../../src/sql/file.ts'
import { drawBatch, iterations, jsonOf, META, newApp, runMeta, withDraws } from '../http/api.ts'
import { openSmallDisk } from '../support/disk.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { MIGRATIONS, newFolder, removeFolder } from '../support/storage.ts'

const OPERATOR = 'operator-token-of-the-backups-77aa12'
const script = (name: string) => fileURLToPath(new URL(`../../deploy/${name}`, import.meta.url))
const MIB = 2 ** 20

let folder: string
let data: string
let server: ServerProcess

interface Ended {
  readonly code: number | null
  readonly output: string
}

async function run(
  name: string,
  args: readonly string[],
  env: { readonly [name: string]: string } = {},
): Promise<Ended> {
  const child = spawn(script(name), args, { env: { ...process.env, MCB_MIN_FREE_MIB: '0', ...env } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  const [code] = await once(child, 'close')
  return { code, output }
}

const backup = (to: string, ...more: readonly string[]) => run('backup.sh', ['--data', data, '--to', to, ...more])
const drill = (...args: readonly string[]) => run('restore-drill.sh', [...args, '--tmp', folder])
const copiesIn = (place: string) => readdirSync(place).filter((name) => /^\d{4}-/.test(name))

function call(token: string, method: string, path: string, body?: Uint8Array<ArrayBuffer> | object): Promise<Response> {
  const isBytes = body instanceof Uint8Array
  const type = isBytes ? 'application/x-protobuf' : 'application/json'
  const bytes = body === undefined || isBytes ? body : new TextEncoder().encode(JSON.stringify(body))
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': type }
  return server.api.request(method, path, { headers, ...(bytes && { body: bytes }) })
}

/** A tenant with two runs of two chains each; one has a chain without draws. */
async function fill(tenant: string, limits: object): Promise<void> {
  await call(OPERATOR, 'POST', '/v1/tenants', { tenant, limits })
  const made = await jsonOf(
    await call(OPERATOR, 'POST', `/v1/tenants/${tenant}/keys`, { name: 'k', scopes: ['write'] }),
  )
  const wide = { rid: '', variables: [{ name: 'w', dtype: 'float64', shape: [64] }] }
  for (const [rid, meta] of [
    ['r', META],
    ['wide', wide],
  ] as const) {
    await call(made.key, 'PUT', `/v1/runs/${rid}`, runMeta({ ...meta, rid }))
    for (const chain of [0, 1]) await call(made.key, 'PUT', `/v1/runs/${rid}/chains/${chain}`)
  }
  await call(made.key, 'POST', '/v1/runs/r/chains/0/draws', drawBatch(iterations(0, 300)))
  const count = 2000
  const w = {
    name: 'w',
    dtype: 'float64',
    data: new Uint8Array(Float64Array.from({ length: count * 64 }, (_, i) => i).buffer),
  }
  const answer = await call(
    made.key,
    'POST',
    '/v1/runs/wide/chains/1/draws',
    drawBatch({ start: 0, count, draws: [w] }),
  )
  expect(answer.status).toBe(200)
}

beforeAll(async () => {
  folder = newFolder()
  data = join(folder, 'data')
  server = await startServer({ MCB_DATA_DIR: data, MCB_AUTH: 'keys', MCB_OPERATOR_TOKEN: OPERATOR })
  await fill('lab', { requestsPerMinute: 60 })
  await fill('gone-away', {})
  const suspended = await call(OPERATOR, 'PATCH', '/v1/tenants/gone-away', { suspended: true })
  expect(suspended.status).toBe(200)
})
afterAll(async () => {
  await server.stop()
  removeFolder(folder)
})

describe('backup.sh', () => {
  test('keeps the newest, and leaves alone what is no backup', { timeout: 120_000 }, async () => {
    const to = join(folder, 'kept')
    mkdirSync(to)
    for (const name of ['mine.sqlite', 'mcbackend-2026-01-01T000000Z.sqlite'])
      writeFileSync(join(to, name), 'left alone')
    const seen: string[] = []
    for (let i = 0; i < 4; i++) {
      const { code, output } = await backup(to, '--keep', '2')
      expect({ code, output }).toMatchObject({ code: 0 })
      seen.push(...copiesIn(to).filter((name) => !seen.includes(name)))
    }
    expect(seen.length).toBe(4)
    expect(copiesIn(to)).toEqual(seen.slice(-2))
    const entries = readdirSync(to, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile())
    for (const name of ['mine.sqlite', 'mcbackend-2026-01-01T000000Z.sqlite', 'manifest.json'])
      expect(files.map((file) => file.name)).toContain(name)
    for (const { parentPath, name } of files) {
      if (!name.startsWith('m')) expect(statSync(join(parentPath, name)).mode & 0o077).toBe(0)
    }
  })

  test('when the copy fails, nothing goes', async () => {
    const to = join(folder, 'failing')
    for (let i = 0; i < 2; i++) expect(await backup(to)).toMatchObject({ code: 0 })
    const copies = copiesIn(to)
    const broken = join(folder, 'broken')
    mkdirSync(broken)
    writeFileSync(join(broken, 'mcbackend.sqlite'), 'this is no database')
    const { code, output } = await run('backup.sh', ['--data', broken, '--to', to, '--keep', '1'])
    expect(code).not.toBe(0)
    expect(output).toContain('could not be made')
    expect(copiesIn(to)).toEqual(expect.arrayContaining(copies))
    // The begun one is no backup, and goes with the next.
    expect(await backup(to, '--keep', '3')).toMatchObject({ code: 0 })
    expect(copiesIn(to).length).toBe(3)
  })

  test('does not fill the disk of the data', async ({ skip }) => {
    const disk = openSmallDisk(96)
    if (typeof disk === 'string') return skip(disk)
    try {
      const full = await backup(disk.folder, '--keep', '1')
      expect(full).toMatchObject({ code: 0 })
      disk.fill(MIB)
      const { code, output } = await backup(disk.folder, '--keep', '1')
      expect(code).toBe(1)
      expect(output).toMatch(/has [01] MiB free, and \d+ are needed; make room/)
      expect(copiesIn(disk.folder).length).toBe(1)
    } finally {
      disk.close()
    }
    const threshold = { MCB_MIN_FREE_MIB: '1000000000' }
    const same = await run('backup.sh', ['--data', data, '--to', join(folder, 'same')], threshold)
    expect(same).toMatchObject({ code: 1, output: expect.stringContaining('another disk') })
  })

  test.each([
    [[], '--to is missing'],
    [['--to'], '--to needs a value'],
    [['--to', '/tmp', '--keep', '0'], '--keep must be a whole number from 1 on, not "0"'],
    [['--to', '/tmp', '--keep', 'x'], '--keep must be'],
    [['--to', '/tmp', '--data', '/nowhere'], 'there is no "/nowhere/mcbackend.sqlite"'],
    [['--to', '/nowhere/at/all'], 'cannot be made'],
    [['--tape'], '"--tape" is no option'],
  ])('%j: it says what is wrong', async (args, said) => {
    const { code, output } = await run('backup.sh', args, { MCB_DATA_DIR: data })
    expect(code).toBe(1)
    expect(output).toContain(said)
  })

  test.each(['backup.sh', 'restore-drill.sh'])('%s --help', async (name) => {
    expect(await run(name, ['--help'])).toMatchObject({ code: 0, output: expect.stringContaining(`usage: ${name}`) })
  })
})

describe('restore-drill.sh', () => {
  const to = () => join(folder, 'drills')
  beforeAll(async () => {
    expect(await backup(to(), '--keep', '3')).toMatchObject({ code: 0 })
    mkdirSync(join(folder, 'older'))
    const driver = new FileDriver({ path: join(folder, 'older', 'mcbackend.sqlite'), migrations: MIGRATIONS })
    const backend = new StoreBackend(new SqliteStore(driver, 'local', DEFAULT_LIMITS))
    const { api } = newApp({ openBackend: () => backend })
    await withDraws(api, 3000)
    driver.close()
  })
  const index = () => join(to(), copiesIn(to()).at(-1) ?? '', 'mcbackend.sqlite')
  /** A backup of a version that made single files. */
  const single = (): string => {
    const path = join(folder, 'mcbackend-2026-01-02T000000Z.sqlite')
    copyFileSync(join(folder, 'older', 'mcbackend.sqlite'), path)
    return path
  }
  test('passes, whatever tenants may not do; it changes no backup and leaves nothing behind', async () => {
    const before = readFileSync(index())
    for (const args of [
      ['--from', to()],
      [to(), '--all'],
    ]) {
      const { code, output } = await drill(...args)
      expect({ code, output }).toMatchObject({ code: 0 })
      expect(output).toMatch(/^passed: 2 tenants, 4 runs with 4600 draws; 4 slices /m)
    }
    expect(readFileSync(index()).equals(before)).toBe(true)
    expect(readdirSync(folder).filter((name) => name.startsWith('mcbackend-drill'))).toEqual([])
    // The server itself knows nothing of it.
    expect((await jsonOf(await call(OPERATOR, 'GET', '/v1/tenants/gone-away'))).suspended).toBe(true)
  })

  test('a single file of a version before passes as well', async () => {
    const path = single()
    for (const args of [
      ['--from', folder],
      [path, '--all'],
    ]) {
      const { code, output } = await drill(...args)
      expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('1 runs with 3000 draws') })
    }
    rmSync(path)
  })

  test('fails where there is nothing, or what is no database', async () => {
    expect(await drill('--from', folder)).toMatchObject({ code: 1, output: expect.stringContaining('no backup in') })
    expect(await drill('/nowhere')).toMatchObject({
      code: 1,
      output: expect.stringContaining('there is no "/nowhere"'),
    })
    expect(await drill()).toMatchObject({ code: 1, output: expect.stringContaining('--from FOLDER, or one FILE') })
    const text = join(folder, 'text')
    writeFileSync(text, 'no database, however long it may be. '.repeat(1000))
    expect(await drill(text)).toMatchObject({ code: 1, output: expect.stringContaining('is damaged') })
  })

  test('fails on a damaged backup: its index, its end, an object, and draws whose checksums do not fit', async () => {
    const files = readdirSync(to(), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const [object] = files.filter(({ parentPath }) => parentPath.includes('objects'))
    const paths = [index(), join(object?.parentPath ?? '', object?.name ?? '')]
    for (const path of paths) {
      const bytes = readFileSync(path)
      writeFileSync(path, Buffer.from(bytes).fill(0xa5, bytes.length - 100, bytes.length - 90))
      expect(await drill('--from', to())).toMatchObject({
        code: 1,
        output: expect.stringContaining('checksum differs'),
      })
      writeFileSync(path, bytes)
      truncateSync(path, bytes.length - 100)
      expect(await drill('--from', to())).toMatchObject({ code: 1, output: expect.stringContaining('FAILED') })
      writeFileSync(path, bytes)
    }
    // SQLite sees nothing of a number in the middle of a blob.
    const path = single()
    const bytes = readFileSync(path)
    const number = Buffer.from(new Float64Array([1234]).buffer)
    let found = 0
    for (let at = bytes.indexOf(number); at >= 0; at = bytes.indexOf(number, at + 1)) {
      bytes[at + 2] = (bytes[at + 2] ?? 0) ^ 1
      found++
    }
    expect(found).toBeGreaterThan(0)
    writeFileSync(path, bytes)
    const { code, output } = await drill(path, '--all')
    expect({ code, output }).toMatchObject({
      code: 1,
      output: expect.stringMatching(/FAILED: .*draws.*internal_error/),
    })
    rmSync(path)
  })

  test('of a newer version is told as such', async () => {
    const path = join(folder, 'newer.sqlite')
    copyFileSync(index(), path)
    const insert = "INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('of the future', 4133980800000)"
    const code = `import D from 'better-sqlite3'; new D(process.argv[1]).exec(${JSON.stringify(insert)})`
    const made = spawnSync(process.execPath, ['--input-type=module', '-e', code, path], { encoding: 'utf8' })
    expect(made.stderr).toBe('')
    expect(await drill(path)).toMatchObject({ code: 1, output: expect.stringContaining('newer version') })
  })
})
