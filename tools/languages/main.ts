/**
 * `npm run test:languages`: the clients in C++ and R with their compilers and checks, and the conformance kit on the clients in
 * all languages.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Missing } from '../common/apt.ts'
import { type Counts, sum } from '../common/counts.ts'
import { CPP_TASKS } from './cpp.ts'
import { KIT_TASKS } from './kit.ts'
import { ALL_NEEDS, require, stanToolchain } from './needs.ts'
import { R_TASKS } from './r.ts'
import type { Task } from './task.ts'

/** Tasks by name, the longest chains first. */
const TASKS: Readonly<Record<string, Task>> = {
  ...R_TASKS,
  'kit-r': KIT_TASKS['kit-r'],
  ...CPP_TASKS,
  ...KIT_TASKS,
}
/** Tasks at work at once, on two cores: some of the time of each is waiting for a server. */
const LANES = 3

const HELP = `usage: npm run test:languages [-- [--only-install] [TASK...]]   all tasks, or these

${Object.entries(TASKS)
  .map(([name, { what }]) => `  ${name.padEnd(16)} ${what}`)
  .join('\n')}

  --only-install   installs what the tasks need, and runs nothing

Compilers, libraries and R come from Debian where this runs as root of one. A task whose tools are not there is skipped by
name, except in CI (CI=true), where that is a failure. Builds stay in build/languages/.`

interface Result {
  readonly counts: Counts
  /** True if tasks after this one have what they need of it. */
  readonly isWell: boolean
}

const SKIPPED: Counts = { passed: 0, failed: 0, skipped: 1, failures: [] }
const failed = (line: string): Counts => ({ passed: 0, failed: 1, skipped: 0, failures: [line] })

async function resultOf(name: string, task: Task): Promise<Result> {
  console.log(`== ${name}: ${task.what}`)
  const begun = Date.now()
  try {
    const counts = await task.run()
    const { passed, skipped } = counts
    const seconds = ((Date.now() - begun) / 1000).toFixed(0)
    console.log(`${name}: ${passed} passed, ${counts.failed} failed, ${skipped} skipped, ${seconds} s`)
    return { counts, isWell: counts.failed === 0 }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (error instanceof Missing && process.env.CI !== 'true') {
      console.log(`${name}: skipped, for want of ${text}`)
      return { counts: SKIPPED, isWell: false }
    }
    console.error(`${name}: failed. ${text}`)
    return { counts: failed(`${name}: ${text.split('\n', 1)[0]}`), isWell: false }
  }
}

/** Runs tasks in their order, `LANES` at once, each behind those that it waits for, and adds up what they count. */
async function runAll(names: readonly string[]): Promise<Counts> {
  const waiting = new Set(names)
  const done = new Map<string, Result>()
  const all: Counts[] = []
  let wake = Promise.withResolvers<void>()
  const isReady = (name: string) =>
    (TASKS[name]?.after ?? []).every((before) => !waiting.has(before) && !atWork.has(before))
  const atWork = new Set<string>()
  const lane = async (): Promise<void> => {
    while (waiting.size > 0) {
      const name = [...waiting].find(isReady)
      const task = name === undefined ? undefined : TASKS[name]
      if (name === undefined || task === undefined) {
        await wake.promise
        continue
      }
      waiting.delete(name)
      atWork.add(name)
      const lost = task.after?.find((before) => done.get(before)?.isWell === false)
      const result = lost === undefined ? await resultOf(name, task) : { counts: SKIPPED, isWell: false }
      if (lost !== undefined) console.log(`${name}: skipped, since ${lost} has not passed`)
      atWork.delete(name)
      done.set(name, result)
      all.push(result.counts)
      wake.resolve()
      wake = Promise.withResolvers()
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return sum(all)
}

/** Installs what is missing before tasks begin, so that two of them do not install at once. */
async function install(): Promise<void> {
  try {
    await require(...ALL_NEEDS)
  } catch (error) {
    // Each task says for itself that it goes without.
    if (!(error instanceof Missing)) throw error
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean' }, 'only-install': { type: 'boolean' }, report: { type: 'string' } },
  })
  const unknown = positionals.filter((name) => !Object.hasOwn(TASKS, name))
  if (values.help || unknown.length > 0) {
    console.log(unknown.length > 0 ? `there is no task ${unknown.join(', ')}\n${HELP}` : HELP)
    return unknown.length > 0 ? 2 : 0
  }
  await install()
  if (values['only-install']) {
    await stanToolchain()
    return 0
  }
  const counts = await runAll(positionals.length > 0 ? positionals : Object.keys(TASKS))
  // For scripts/test.mjs, which names the failed tests once more at its end.
  if (values.report !== undefined) writeFileSync(values.report, JSON.stringify(counts))
  for (const line of counts.failures) console.error(line)
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  return counts.failed > 0 ? 1 : 0
}

process.exit(await main())
