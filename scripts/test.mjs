// `npm test`: formatting, types, then all test suites. Arguments go to vitest: `npm test -- test/http`.
import { spawn, spawnSync } from 'node:child_process'
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

const ours = (...command) => [process.execPath, ...command]
const vitest = (...options) => ours('node_modules/vitest/vitest.mjs', 'run', ...options)

if (args.length > 0) {
  await step('Tests', vitest(...args))
} else {
  // The environment comes over the network, which the first steps have no use for.
  const environment = python('--only-install')
  const installation = environment && begin('Environment of the Python package', environment, 'pipe')
  await step('Formatting and lint', ours('node_modules/@biomejs/biome/bin/biome', 'check', '.'))
  for (const project of ['.', 'src/core', 'src/client']) {
    await step(`Types of ${project}`, ours('node_modules/typescript/bin/tsc', '-p', project))
  }
  await step('Tests inside workerd', vitest('--project', 'workers', '--project', 'workers-clickhouse'))
  await installation?.ended()
  await step('Tests on Node', vitest('--project', 'node'))
  if (environment) await step('Python package', python())
  else console.log('The Python package was skipped: it needs Python 3.11 or later, and there is none on the path.')
}

/** Runs a command to its end; ends the process when it fails. */
function step(name, command) {
  console.log(`\n== ${name}`)
  return begin(name, command, 'inherit').ended()
}

/** Starts a command; what it prints on a pipe is shown when its end is awaited. */
function begin(name, [program, ...rest], output) {
  const begun = Date.now()
  const golden = existsSync(GOLDEN_PYTHON) ? { MCB_GOLDEN_PYTHON: GOLDEN_PYTHON } : {}
  const env = { ...golden, ...COMPILED, ...folders(), ...process.env }
  const child = spawn(program, rest, { stdio: ['inherit', output, output], env })
  process.once('exit', () => child.kill())
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      printed += text
    })
  }
  const closed = new Promise((resolve) => {
    child.once('error', (error) => {
      printed += `${error.message}\n`
      resolve(1)
    })
    child.once('close', (status) => resolve(status ?? 1))
  })
  const finished = closed.then(() => Date.now())
  const ended = async () => {
    const status = await closed
    if (printed !== '') console.log(`\n== ${name}\n${printed.trimEnd()}`)
    if (status !== 0) {
      const advice = name === 'Formatting and lint' ? ' `npm run format` mends formatting.' : ''
      console.error(`${name}: failed.${advice}`)
      process.exit(status)
    }
    console.log(`${name}: ${(((await finished) - begun) / 1000).toFixed(0)} s`)
  }
  return { ended }
}

/** Tests clients/python: any Python runs the script, and it looks for one that is new enough. */
function python(...options) {
  const found = ['python3', 'python'].find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)
  return found && [found, `${PACKAGE}/run_tests.py`, ...options]
}
