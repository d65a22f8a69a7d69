/** deploy/backup.sh and deploy/restore-drill.sh, run for real: copies beside a server that writes, and copies that are damaged. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { drawBatch, iterations, jsonOf, META, runMeta } from '../http/api.ts'
import { openSmallDisk } from '../support/disk.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const OPERATOR = 'operator-token-of-the-backups-77aa12'
const script = (name: string) => fileURLToPath(new URL(`../../deploy/${name}`, import.meta.url))
const PAGE = 16 * 1024
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
const backupsIn = (place: string) => readdirSync(place).filter((name) => name.endsWith('.sqlite'))

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
    for (const name of ['mine.sqlite', 'mcbackend-old.sqlite']) writeFileSync(join(to, name), 'left alone')
    const seen: string[] = []
    for (let i = 0; i < 4; i++) {
      const { code, output } = await backup(to, '--keep', '2')
      expect({ code, output }).toMatchObject({ code: 0 })
      seen.push(...backupsIn(to).filter((name) => /^mcbackend-\d/.test(name) && !seen.includes(name)))
      // Their names have seconds.
      await new Promise((resolve) => setTimeout(resolve, 1100))
    }
    expect(seen.length).toBe(4)
    expect(backupsIn(to).sort()).toEqual([...seen.slice(-2), 'mcbackend-old.sqlite', 'mine.sqlite'].sort())
    for (const name of seen.slice(-2)) expect(statSync(join(to, name)).mode & 0o077).toBe(0)
  })

  test('when the copy fails, nothing goes', async () => {
    const to = join(folder, 'failing')
    mkdirSync(to)
    const old = ['01', '02', '03'].map((day) => `mcbackend-2026-01-${day}T000000Z.sqlite`)
    for (const name of old) writeFileSync(join(to, name), 'an old one')
    const broken = join(folder, 'broken')
    mkdirSync(broken)
    writeFileSync(join(broken, 'mcbackend.sqlite'), 'this is no database')
    const { code, output } = await run('backup.sh', ['--data', broken, '--to', to, '--keep', '1'])
    expect(code).not.toBe(0)
    expect(output).toContain('could not be made')
    expect(backupsIn(to).sort()).toEqual(old)
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
      expect(backupsIn(disk.folder).length).toBe(1)
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
  })
  const newest = () => join(to(), backupsIn(to()).sort().at(-1) ?? '')

  test('passes, whatever tenants may not do; it changes no backup and leaves nothing behind', async () => {
    const before = readFileSync(newest())
    for (const args of [
      ['--from', to()],
      [newest(), '--all'],
    ]) {
      const { code, output } = await drill(...args)
      expect({ code, output }).toMatchObject({ code: 0 })
      expect(output).toMatch(/^passed: 2 tenants, 4 runs with 4600 draws; 4 slices /m)
    }
    expect(readFileSync(newest()).equals(before)).toBe(true)
    expect(readdirSync(folder).filter((name) => name.startsWith('mcbackend-drill'))).toEqual([])
    // The server itself knows nothing of it.
    expect((await jsonOf(await call(OPERATOR, 'GET', '/v1/tenants/gone-away'))).suspended).toBe(true)
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

  test('fails on a damaged backup: pages, the end, and draws whose checksums do not fit', async () => {
    const damaged = (change: (path: string, bytes: Buffer) => void): string => {
      const path = join(folder, 'damaged.sqlite')
      copyFileSync(newest(), path)
      change(path, readFileSync(path))
      return path
    }
    const pages = damaged((path, bytes) => writeFileSync(path, bytes.fill(0xa5, 2 * PAGE, 8 * PAGE)))
    expect(await drill(pages)).toMatchObject({ code: 1, output: expect.stringContaining('FAILED') })
    const cut = damaged((path, bytes) => truncateSync(path, bytes.length - 3 * PAGE))
    expect(await drill(cut)).toMatchObject({ code: 1, output: expect.stringContaining('is damaged') })
    // A number in the middle of a blob: SQLite sees nothing of it.
    const number = Buffer.from(new Float64Array([64_321]).buffer)
    const flipped = damaged((path, bytes) => {
      let found = 0
      for (let at = bytes.indexOf(number); at >= 0; at = bytes.indexOf(number, at + 1)) {
        bytes[at + 2] = (bytes[at + 2] ?? 0) ^ 1
        found++
      }
      expect(found).toBeGreaterThan(0)
      writeFileSync(path, bytes)
    })
    const { code, output } = await drill(flipped, '--all')
    expect({ code, output }).toMatchObject({
      code: 1,
      output: expect.stringMatching(/FAILED: .*draws.*internal_error/),
    })
    expect(existsSync(flipped)).toBe(true)
  })

  test('of a newer version is told as such', async () => {
    const path = join(folder, 'newer.sqlite')
    copyFileSync(newest(), path)
    const insert = "INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('of the future', 4133980800000)"
    const code = `import D from 'better-sqlite3'; new D(process.argv[1]).exec(${JSON.stringify(insert)})`
    const made = spawnSync(process.execPath, ['--input-type=module', '-e', code, path], { encoding: 'utf8' })
    expect(made.stderr).toBe('')
    expect(await drill(path)).toMatchObject({ code: 1, output: expect.stringContaining('newer version') })
  })
})
