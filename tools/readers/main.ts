/**
 * `npm run test:readers`: real readers and writers of others, in environments of their own, against a server of this
 * checkout. Each gets what the project's own Python package gets, without a warning.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Missing } from '../common/apt.ts'
import { type Counts, countsOf, sum } from '../common/counts.ts'
import { run } from '../common/run.ts'
import { ENVIRONMENTS, type EnvironmentName, install, installTools, pythonOf } from './environments.ts'

const FOLDER = import.meta.dirname
const NAMES = Object.keys(ENVIRONMENTS).filter(isEnvironment)
const HELP = `usage: npm run test:readers [-- [--only-install] [--pytest OPTION]... [ENVIRONMENT...]]   all environments, or these

${NAMES.map((name) => `  ${name.padEnd(8)} ${ENVIRONMENTS[name].has}`).join('\n')}

  --only-install   makes the environments, in tools/readers/, and runs nothing
  --pytest OPTION  for pytest, such as --pytest=-kzarr, instead of the tests that are for an environment

A Python that is not found is skipped by name, except in CI (CI=true), where that is a failure.`

function isEnvironment(name: string): name is EnvironmentName {
  return Object.hasOwn(ENVIRONMENTS, name)
}

/** Says whether an environment is there now. */
async function isInstalled(name: EnvironmentName): Promise<boolean> {
  try {
    await install(name)
    return true
  } catch (error) {
    if (!(error instanceof Missing) || process.env.CI === 'true') throw error
    console.log(`${name}: skipped, for want of ${error.message}`)
    return false
  }
}

/** Runs the tests in one environment; what they print comes when they have ended. */
async function test(name: EnvironmentName, options: readonly string[], folder: string): Promise<Counts> {
  const report = join(folder, `${name}.xml`)
  const tests = ['-m', 'pytest', `--junitxml=${report}`, `--basetemp=${join(folder, name)}`]
  const env = {
    MCB_NODE: process.execPath,
    PYTHONDONTWRITEBYTECODE: '1',
    // Each environment has one of two cores.
    OMP_NUM_THREADS: '1',
    OPENBLAS_NUM_THREADS: '1',
  }
  try {
    const chosen = options.length > 0 ? options : ENVIRONMENTS[name].tests
    await run([pythonOf(name), ...tests, ...chosen], { cwd: join(FOLDER, 'tests'), env, output: 'at its end' })
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    return failedCounts(report, name)
  }
  return countsOf(report, name)
}

/** Counts after a failure, which may have been that of pytest itself. */
function failedCounts(report: string, name: EnvironmentName): Counts {
  try {
    const counts = countsOf(report, name)
    if (counts.failed > 0) return counts
  } catch {
    // It ended before it wrote one.
  }
  return { passed: 0, failed: 1, skipped: 0, failures: [`readers, ${name}: pytest failed`] }
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean' },
      'only-install': { type: 'boolean' },
      pytest: { type: 'string', multiple: true },
      report: { type: 'string' },
    },
  })
  const unknown = positionals.filter((name) => !isEnvironment(name))
  if (values.help || unknown.length > 0) {
    console.log(unknown.length > 0 ? `there is no environment ${unknown.join(', ')}\n${HELP}` : HELP)
    return unknown.length > 0 ? 2 : 0
  }
  const chosen = positionals.length > 0 ? positionals.filter(isEnvironment) : NAMES
  await installTools()
  const there: EnvironmentName[] = []
  for (const name of chosen) if (await isInstalled(name)) there.push(name)
  if (values['only-install']) return 0
  const folder = mkdtempSync(join(tmpdir(), 'mcb-readers-'))
  const counts = sum(await Promise.all(there.map((name) => test(name, values.pytest ?? [], folder))))
  rmSync(folder, { recursive: true, force: true })
  // For scripts/test.mjs, which names the failed tests once more at its end.
  if (values.report !== undefined) writeFileSync(values.report, JSON.stringify(counts))
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  return counts.failed > 0 ? 1 : 0
}

process.exit(await main())
