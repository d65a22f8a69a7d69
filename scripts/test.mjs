// `npm test`: formatting, types, then all test suites. Arguments go to vitest: `npm test -- test/http`.
import { spawnSync } from 'node:child_process'
import { existsSync, statfsSync } from 'node:fs'
import { resolve } from 'node:path'

const args = process.argv.slice(2)
if (args.includes('--help')) {
  console.log(`usage: npm test [-- VITEST ARGUMENTS]
  without arguments: biome, tsc, every vitest suite, and the Python package where Python 3.11 or later is installed`)
  process.exit(0)
}

const PACKAGE = 'clients/python'
/** Of the Python package's environment, where the reference implementation is installed as well. */
const GOLDEN_PYTHON = resolve(`${PACKAGE}/.venv/bin/python`)

/** Tests start some hundred servers, each of which would compile the same modules. */
const COMPILED = { NODE_COMPILE_CACHE: resolve('node_modules/.cache/compiled') }

/** Where the tests' databases lie: in memory where a machine has much of it, since they would wait for the disk in turns. */
const IN_MEMORY = '/dev/shm'
const LEAST_BYTES = 4 * 2 ** 30

function folders() {
  if (process.env.TMPDIR !== undefined || !existsSync(IN_MEMORY)) return {}
  const { bavail, bsize } = statfsSync(IN_MEMORY)
  return bavail * bsize >= LEAST_BYTES ? { TMPDIR: IN_MEMORY } : {}
}

const ours = (command) => [process.execPath, ...command]
const steps = [
  ['Formatting and lint', ours(['node_modules/@biomejs/biome/bin/biome', 'check', '.'])],
  ['Types', ours(['node_modules/typescript/bin/tsc', '-p', '.'])],
  ['Environment of the Python package', python('--only-install')],
  ['Tests', ours(['node_modules/vitest/vitest.mjs', 'run', ...args])],
  ['Python package', python()],
]
for (const [name, command] of args.length > 0 ? steps.filter(([name]) => name === 'Tests') : steps) {
  console.log(`\n== ${name}`)
  if (command === undefined) {
    console.log('The Python package was skipped: it needs Python 3.11 or later, and there is none on the path.')
    continue
  }
  const begun = Date.now()
  const [program, ...rest] = command
  const golden = existsSync(GOLDEN_PYTHON) ? { MCB_GOLDEN_PYTHON: GOLDEN_PYTHON } : {}
  const env = { ...golden, ...COMPILED, ...folders(), ...process.env }
  const { status } = spawnSync(program, rest, { stdio: 'inherit', env })
  if (status !== 0) {
    console.error(`${name}: failed.${name === 'Formatting and lint' ? ' `npm run format` mends formatting.' : ''}`)
    process.exit(status ?? 1)
  }
  console.log(`${name}: ${((Date.now() - begun) / 1000).toFixed(0)} s`)
}

/** Tests clients/python: any Python runs the script, and it looks for one that is new enough. */
function python(...options) {
  const found = ['python3', 'python'].find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)
  return found && [found, `${PACKAGE}/run_tests.py`, ...options]
}
