/** A run of tests that is stopped in the middle, in each way, leaves no process and no file behind. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface Found {
  readonly pid: number
  readonly command: string
}

/** Processes that were started with this folder for temporary files, or by one that was. */
function processesOf(folder: string): Found[] {
  const found: Found[] = []
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (!readFileSync(`/proc/${name}/environ`, 'latin1').includes(`=${folder}`)) continue
      found.push({ pid: Number(name), command: readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ') })
    } catch {
      // It has ended meanwhile.
    }
  }
  return found
}

let folder = ''
let npm: ChildProcess | undefined
afterEach(async () => {
  for (const { pid } of processesOf(folder)) process.kill(pid, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** Starts `npm test` with arguments in a process group of its own, as a terminal does. */
function start(args: readonly string[]): ChildProcess {
  folder = mkdtempSync(join(tmpdir(), 'stopped-'))
  const env = { ...process.env, TMPDIR: folder, MCB_STOPPED: folder }
  npm = spawn('npm', ['test', '--', ...args], { cwd: ROOT, env, detached: true, stdio: 'ignore' })
  return npm
}

const KINDS = {
  'a server on Node': [/src\/node\.ts/, 'test/client/restart.test.ts'],
  workerd: [/workerd serve/, 'test/workers/worker.slow.test.ts'],
  'the engine of ClickHouse': [/tools\/clickhouse\/main\.ts/, 'test/clickhouse/queries.test.ts'],
  'what a test kills itself': [/bench\/workerd\/server\.ts/, 'test/kill/kill.slow.test.ts'],
} as const

/** A terminal sends its signal to all, others to npm alone. */
const WAYS: readonly (readonly [name: string, signal: NodeJS.Signals, toGroup: 'group' | 'npm'])[] = [
  ['Ctrl-C', 'SIGINT', 'group'],
  ['SIGTERM to npm', 'SIGTERM', 'npm'],
  ['SIGKILL to npm', 'SIGKILL', 'npm'],
  ['SIGKILL to all', 'SIGKILL', 'group'],
]

const CASES = Object.entries(KINDS).flatMap(([kind, [command, file]], i) =>
  // Each kind in two ways, each way with two kinds.
  [WAYS[i % 4], WAYS[(i + 1) % 4]].flatMap((way) => (way === undefined ? [] : [{ kind, command, file, way }])),
)

test.for(CASES)(
  '$way.0 ends $kind',
  { timeout: 300_000 },
  async ({ command, file, way: [, signal, whom] }, { skip }) => {
    if (process.platform !== 'linux') return skip('processes are found on Linux alone')
    const { pid } = start([file])
    if (pid === undefined) throw new Error('npm did not start')
    const ended = once(npm ?? process, 'exit')
    await expect
      .poll(() => processesOf(folder).some((found) => command.test(found.command)), { timeout: 120_000 })
      .toBe(true)
    process.kill(whom === 'group' ? -pid : pid, signal)
    await ended
    await expect.poll(() => processesOf(folder), { timeout: 60_000 }).toEqual([])
    await expect
      .poll(() => (existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('mcbackend')) : []))
      .toEqual([])
  },
)
