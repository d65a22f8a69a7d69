/** `npm run conform`: tests a client behind a driver, or a server. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startVitest } from 'vitest/node'
import { type Asked, HELP, readArguments, UsageError } from './arguments.ts'
import { Report } from './report.ts'
import { runServer } from './server/run.ts'
import type { AskedServer } from './server/settings.ts'
import { startServer } from './server-process.ts'
import type { KitSettings } from './settings.ts'
import { DUTY_TOPICS } from './topics.ts'

const FOLDER = import.meta.dirname
/** Milliseconds that a test may take beyond a driver's patience. */
const TEST_MS = 240_000

function filesFor({ only }: Asked): string[] {
  const files = []
  const wants = (isDuty: boolean) => only.length === 0 || only.some((topic) => DUTY_TOPICS.includes(topic) === isDuty)
  if (wants(false)) files.push('suite.test.ts')
  if (wants(true)) files.push('duties.test.ts')
  return files.map((name) => join(FOLDER, name))
}

/** Runs the tests in a process of Vitest's own, one file behind the other: a list of runs is no place for two. */
async function runTests({ grep, ...asked }: Asked, kit: KitSettings): Promise<Report> {
  const report = new Report((line) => console.log(line), grep)
  const pattern = grep === undefined ? {} : { testNamePattern: new RegExp(grep.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')) }
  const vitest = await startVitest([], {
    root: resolve(FOLDER, '../..'),
    config: false,
    watch: false,
    include: filesFor(asked),
    fileParallelism: false,
    reporters: [report],
    silent: true,
    ...pattern,
    provide: { kit },
    testTimeout: TEST_MS + kit.patience * 1000,
    hookTimeout: TEST_MS,
    expect: { poll: { timeout: 30_000 } },
  })
  await vitest.close()
  return report
}

/** Faults by kind, as the proxy of the suite counted them. */
function sayInjected(path: string): void {
  if (!existsSync(path)) return
  const injected: [string, number][] = JSON.parse(readFileSync(path, 'utf8'))
  const all = injected.reduce((sum, [, times]) => sum + times, 0)
  const kinds = injected.map(([kind, times]) => `${kind} ${times}`).sort()
  console.log(`\n${all} faults were injected: ${kinds.join(', ')}`)
}

/** The closing line, and the exit code. */
function sayCounts({ passed, failed, skipped }: Report): number {
  console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`)
  return failed > 0 || passed === 0 ? 1 : 0
}

async function runDriver(asked: Asked): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'mcb-conform-'))
  const server = asked.url === undefined ? await startServer() : undefined
  try {
    const url = asked.url ?? server?.url ?? ''
    const kit = { ...asked, url, injected: join(folder, 'faults.json') }
    const report = await runTests(asked, kit)
    if (asked.faults > 0) sayInjected(kit.injected)
    const isWhole = asked.only.length === 0 && asked.grep === undefined
    const isEmpty = isWhole && report.passedWithDraws === 0
    if (isEmpty)
      console.log('\nno test has passed in which the client writes or reads a draw: see what its driver says it lacks')
    const code = sayCounts(report)
    return isEmpty ? 1 : code
  } finally {
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function run(asked: Asked | AskedServer): Promise<number> {
  if ('driver' in asked) return runDriver(asked)
  return sayCounts(await runServer(asked, (line) => console.log(line)))
}

async function main(args: readonly string[]): Promise<number> {
  try {
    const asked = readArguments(args)
    if (asked !== undefined) return await run(asked)
    console.log(HELP)
    return 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`conform: ${error.message}\n--help has all options.`)
    return 2
  }
}

process.exitCode = await main(process.argv.slice(2))
