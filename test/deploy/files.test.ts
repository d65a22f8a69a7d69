/** The files of deploy/ that others' programs read: systemd's units, Prometheus's rules, Grafana's dashboard, a shell's scripts. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withDraws } from '../http/api.ts'
import { namesIn } from '../support/figures.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { testUnless } from '../support/skip.ts'
import { newFolder, removeFolder } from '../support/storage.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DEPLOY = join(ROOT, 'deploy')
const UNITS = readdirSync(DEPLOY).filter((name) => /\.(service|timer)$/.test(name))
const read = (name: string): string => readFileSync(join(DEPLOY, name), 'utf8')

/** True where a program starts. */
const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined

/** Reason to skip the tests of units: none where systemd's tools are there, or can be installed as Debian's package. */
function noSystemd(): string | undefined {
  if (has('systemd-analyze')) return undefined
  if (process.getuid?.() !== 0) return 'systemd-analyze is not there, and this user may not install it'
  const { status, error, stderr } = spawnSync('apt-get', ['install', '-y', '--no-install-recommends', 'systemd'], {
    encoding: 'utf8',
  })
  if (status === 0 && has('systemd-analyze')) return undefined
  return `systemd-analyze is not there, and cannot be installed (${error?.message ?? stderr.trim().split('\n').at(-1)})`
}

const NO_SYSTEMD = noSystemd()

let figures: Set<string>
let folder: string
let server: ServerProcess
beforeAll(async () => {
  folder = newFolder()
  server = await startServer({ MCB_DATA_DIR: join(folder, 'data') })
  await withDraws(server.api, 10)
  figures = namesIn(await (await server.api.get('/metrics')).text())
})
afterAll(async () => {
  await server.stop()
  removeFolder(folder)
})

/** Names of figures in an expression: what is no function, label, keyword, number or text. */
function figuresOf(expression: string): string[] {
  const plain = expression
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '')
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(?:by|without|on|ignoring) *\([^)]*\)/g, '')
  return [...plain.matchAll(/\b[a-z_][a-z0-9_]*\b(?! *\()/g)].map(([name]) => name)
}

test('every figure that the dashboard asks for is told by a server', () => {
  const dashboard: { panels: { title: string; targets: { expr: string }[] }[] } = JSON.parse(read('grafana.json'))
  const asked = dashboard.panels.flatMap(({ title, targets }) =>
    targets.flatMap(({ expr }) => figuresOf(expr).map((name) => ({ title, name }))),
  )
  expect(asked.length).toBeGreaterThan(20)
  expect(asked.filter(({ name }) => !figures.has(name))).toEqual([])
  // And the other way round: all that is of this server is shown.
  const shown = new Set(asked.map(({ name }) => name.replace(/_(bucket|sum|count)$/, '')))
  const own = [...figures]
    .filter((name) => name.startsWith('mcb_'))
    .map((name) => name.replace(/_(bucket|sum|count)$/, ''))
  expect(own.filter((name) => !shown.has(name))).toEqual([])
})

test('every figure of an alarm is told by a server, and the page explains each alarm', () => {
  const text = read('alarms.yml')
  const expressions = [...text.matchAll(/^ +expr: (.*)$/gm)].map(([, expression = '']) => expression)
  const names = [...text.matchAll(/^ +- alert: (\w+)$/gm)].map(([, name = '']) => name)
  expect(expressions.length).toBe(names.length)
  expect(names.length).toBeGreaterThan(5)
  for (const name of expressions.flatMap(figuresOf)) expect([...figures, 'up']).toContain(name)
  const page = readFileSync(join(ROOT, 'docs/operate.md'), 'utf8')
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  const told = [...figures]
    .map((name) => name.replace(/_(bucket|sum|count)$/, ''))
    .filter((name) => name.startsWith('mcb_'))
  expect(told.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
})

testUnless(has('promtool') ? undefined : 'promtool is not there')(
  'promtool takes the alarms and the figures',
  async () => {
    execFileSync('promtool', ['check', 'rules', join(DEPLOY, 'alarms.yml')])
    const text = await (await server.api.get('/metrics')).text()
    const { status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
    // 3: names that its style guide would have otherwise; those of the runtime are not ours.
    expect([0, 3]).toContain(status)
    expect(`${stdout}${stderr}`.split('\n').filter((line) => line.startsWith('mcb_'))).toEqual([])
  },
)

testUnless(has('shellcheck') ? undefined : 'shellcheck is not there')(
  'shellcheck has nothing to say of the scripts',
  () => {
    const scripts = readdirSync(DEPLOY).filter((name) => name.endsWith('.sh'))
    expect(scripts.length).toBe(2)
    execFileSync(
      'shellcheck',
      scripts.map((name) => join(DEPLOY, name)),
    )
  },
)

testUnless(NO_SYSTEMD)('systemd takes the units, and finds them well protected', () => {
  const units = mkdtempSync(join(tmpdir(), 'mcbackend-units-'))
  try {
    // The place of the installation is this checkout, so that the programs are looked for as well.
    for (const name of UNITS)
      writeFileSync(join(units, name), read(name).replaceAll('/srv/mcbackend/app', ROOT.replace(/\/$/, '')))
    const paths = UNITS.map((name) => join(units, name))
    expect(paths.length).toBe(3)
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', ...paths], { encoding: 'utf8' })
    expect({ status, stderr: stderr.trim() }).toEqual({ status: 0, stderr: '' })
    for (const path of paths.filter((name) => name.endsWith('.service'))) {
      const command = ['security', '--offline=true', '--threshold=20', path]
      const said = spawnSync('systemd-analyze', command, { encoding: 'utf8' })
      expect(said.status, said.stdout).toBe(0)
    }
  } finally {
    rmSync(units, { recursive: true })
  }
})

test('the page has a line for each change of a schema', () => {
  const page = readFileSync(join(ROOT, 'docs/operate.md'), 'utf8')
  const folders = ['migrations', 'migrations/object', 'migrations/clickhouse']
  const changes = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder)).flatMap((name) => (name.endsWith('.sql') ? [`${folder}/${name}`] : [])),
  )
  expect(changes.length).toBeGreaterThan(12)
  expect(changes.filter((path) => !page.includes(`| \`${path}\``))).toEqual([])
})

test('the service stops no sooner than the server does', () => {
  const entry = readFileSync(join(ROOT, 'src/node.ts'), 'utf8')
  const limits = [...entry.matchAll(/^const (?:REQUESTS|STORAGE)_MS = ([\d_]+)$/gm)]
  const seconds = limits.map(([, ms = '']) => Number(ms.replaceAll('_', '')) / 1000)
  expect(seconds.length).toBe(2)
  const timeout = Number(/^TimeoutStopSec=(\d+)$/m.exec(read('mcbackend-edge.service'))?.[1])
  expect(timeout).toBeGreaterThan(seconds.reduce((a, b) => a + b) + 5)
})
