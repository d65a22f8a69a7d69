// `npm test`, `npm run test:fast` and `npm run test:all`: the steps of each, and what has come of them.
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const HELP = `usage: npm run test:fast               formatting, lint, types and the tests that need no server: for who writes code
       npm test                        also the tests with servers on Node and in workerd: for who has cloned it
       npm run test:all                everything, with the slow tests, Chromium, ClickHouse and the Python package: for CI
       npm test -- VITEST ARGUMENTS    some tests: npm test -- test/http`

const PACKAGE = 'clients/python'
/** The oldest and the newest Python that the package is for. */
const PYTHONS = ['3.11', '3.13']
/** Python of the package's environments, in which the reference implementation is installed as well; any of them will do. */
const GOLDEN_PYTHONS = ['.venv', '.venv-3.13', '.venv-3.12'].map((name) => resolve(`${PACKAGE}/${name}/bin/python`))

/** Folder of the tests' files on a machine with much memory: on a disk they would wait for it in turns. */
const IN_MEMORY = '/dev/shm'
const LEAST_BYTES = 4 * 2 ** 30

/** The last of a failing step's errors, in characters. */
const SAID = 200_000
/** The longest line about one failed test, in characters. */
const LONGEST_LINE = 400
/** A failed test in pytest's report, as XML, and the first line of its error. */
const FAILED_OF_PYTEST =
  /<testcase classname="(?<file>[^"]*)" name="(?<test>[^"]*)"[^>]*><(?:failure|error) message="(?<message>(?:(?!&#10;)[^"])*)/g
const COUNTS = /\b(?<passed>\d+) passed, (?<failed>\d+) failed, (?<skipped>\d+) skipped$/
/** Lines that workerd prints when a test breaks an object, as it is meant to. */
const OF_WORKERD = /^(uncaught exception; exception = |stack: \S*workerd|console warning; message = )/

const args = process.argv.slice(2)
if (args.includes('--help')) {
  console.log(HELP)
  process.exit(0)
}

/** Temporary files of all that this run starts, which is found by it in the end. */
const folder = mkdtempSync(join(parentFolder(), 'mcbackend-tests-'))
// Tests of permissions become another user, who has to get to the files that are his.
chmodSync(folder, 0o711)
const guard = spawn(process.execPath, ['scripts/guard.mjs', folder], {
  // In a group of its own, which is not ended with this one.
  detached: true,
  stdio: ['pipe', 'ignore', 'inherit'],
})
const unguarded = new Promise((resolve) => guard.once('close', resolve))

/** Environment of each step. */
function environment() {
  const golden = GOLDEN_PYTHONS.find((path) => existsSync(path))
  return {
    ...(golden !== undefined && { MCB_GOLDEN_PYTHON: golden }),
    // Tests start some hundred servers, each of which would compile the same modules.
    NODE_COMPILE_CACHE: resolve('node_modules/.cache/compiled'),
    ...process.env,
    TMPDIR: folder,
  }
}

const ours = (...command) => [process.execPath, ...command]
const report = (name) => join(folder, `${name}.report`)

/**
 * A run of vitest that counts its tests into a file. `slow` says whether files like `disk.slow.test.ts` belong to it
 * (vitest.config.ts).
 */
function vitest(name, slow, ...options) {
  const reporters = ['--reporter=default', '--reporter=./test/support/report.ts']
  return {
    command: ours('node_modules/vitest/vitest.mjs', 'run', ...reporters, ...options),
    env: { MCB_TEST_REPORT: report(name), MCB_TEST_SLOW: slow },
    counts: () => JSON.parse(readFileSync(report(name), 'utf8')),
  }
}

const projects = (...names) => names.flatMap((name) => ['--project', name])
const ON_NODE_AND_WORKERD = projects('unit', 'node', 'workers', 'workers-r2')

/**
 * Every step and the commands that it belongs to, in the order in which they run; `test:all` runs what `npm test` runs,
 * and more. The tests of a step are counted by its `counts`, or by the line `N passed, N failed, N skipped` that it prints;
 * one without is only well or not. When a step fails that comes `first`, the rest is not tried. One that waits for the
 * network more than it computes goes on `meanwhile`, beside the step after it.
 */
const STEPS = [
  {
    name: 'Compilers and R, for the clients in other languages',
    in: ['all'],
    meanwhile: true,
    command: npm('test:languages', '--only-install'),
  },
  { name: 'Formatting, lint and types', in: ['fast', 'test', 'all'], first: true, command: npm('check') },
  { name: 'Unit tests', in: ['fast'], ...vitest('unit', 'no', ...projects('unit')) },
  { name: 'Tests', in: ['test'], ...vitest('test', 'no', ...ON_NODE_AND_WORKERD) },
  {
    name: 'Environments of the Python package',
    in: ['all'],
    meanwhile: true,
    ...python('--only-install', ...on(...PYTHONS)),
  },
  {
    name: 'Tests on ClickHouse',
    in: ['all'],
    ...vitest('clickhouse', 'yes', ...projects('clickhouse', 'workers-clickhouse')),
  },
  // Behind those of the package, whose libraries they use as well.
  {
    name: 'Environments of the readers',
    in: ['all'],
    meanwhile: true,
    command: npm('test:readers', '--only-install'),
  },
  {
    name: 'Tests, with the slow ones',
    in: ['all'],
    ...vitest('all', 'yes', ...ON_NODE_AND_WORKERD, ...projects('workers-costs')),
  },
  { name: 'The page, in Chromium', in: ['all'], ...vitest('page', 'yes', ...projects('page')) },
  { name: `Python package, on ${PYTHONS[0]}`, in: ['all'], ...pythonPackage(PYTHONS[0]) },
  // Without the tests of network and disk, which meet none of the libraries that a newer Python has.
  { name: `Python package, on ${PYTHONS[1]}`, in: ['all'], ...pythonPackage(PYTHONS[1], '--lean') },
  {
    name: 'Readers and writers of others',
    in: ['all'],
    command: npm('test:readers', `--report=${report('readers')}`),
    counts: () => JSON.parse(readFileSync(report('readers'), 'utf8')),
  },
  {
    name: 'Clients in other languages, and the conformance kit',
    in: ['all'],
    command: npm('test:languages', `--report=${report('languages')}`),
    counts: () => JSON.parse(readFileSync(report('languages'), 'utf8')),
  },
  { name: 'Packages, on the platforms that they are for', in: ['all'], command: npm('test:packages') },
  { name: 'The OpenAPI document, read by tools of others', in: ['all'], command: npm('test:openapi') },
  // Behind it, since Go comes with its tools.
  { name: 'The schema, and its archive', in: ['all'], command: npm('test:schema') },
]

const chosen = args.includes('--fast') ? 'fast' : args.includes('--all') ? 'all' : 'test'
const rest = args.filter((arg) => arg !== '--fast' && arg !== '--all')
const steps =
  rest.length > 0
    ? [{ name: 'Tests', ...vitest('some', 'yes', ...rest) }]
    : STEPS.filter((step) => step.in.includes(chosen))

/** Steps that run at this moment, as processes. */
const running = new Set()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal))
// npm hands signals on, unless it is killed.
const parent = process.ppid
setInterval(() => {
  if (process.ppid !== parent) void stop('SIGHUP')
}, 1000).unref()

const total = { passed: 0, failed: 0, skipped: 0 }
const failures = []
/** A line for each failed test whose step names it, for who sees but the end of the output. */
const failedTests = []
let beside = []
for (const step of steps) {
  const done = isDone(step).then((isWell) => isWell || failures.push(step.name))
  if (step.meanwhile) {
    beside.push(done)
    continue
  }
  await Promise.all([done, ...beside])
  beside = []
  if (step.first && failures.includes(step.name)) break
}
await Promise.all(beside)
if (failures.length > 0) console.error(`\nfailed: ${[failures.join(', '), ...failedTests].join('\n  ')}`)
const { passed, failed, skipped } = total
if (passed + failed + skipped > 0) console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`)
await end(failures.length > 0 ? 1 : 0)

/** Runs a step to its end, and says whether all is well. */
async function isDone(step) {
  console.log(`\n== ${step.name}${step.meanwhile ? ', beside what follows' : ''}`)
  const begun = Date.now()
  const { status, counted } = await run(step)
  const counts = countsOf(step, status, counted)
  for (const kind of Object.keys(total)) total[kind] += counts[kind]
  failedTests.push(...(counts.failures ?? []).map((line) => line.slice(0, LONGEST_LINE)))
  if (counts.lines?.length > 0) console.log(`\nskipped, and why:\n${counts.lines.join('\n')}`)
  const advice = step.first && status !== 0 ? ' `npm run format` mends formatting.' : ''
  console.log(
    `${step.name}: ${status === 0 ? 'done' : 'failed'}, ${Math.round((Date.now() - begun) / 1000)} s.${advice}`,
  )
  return status === 0
}

/** Shows the output of a step; lines that are of interest only after a failure are shown when it fails. */
function run({ command: [program, ...options], env: more }) {
  const child = spawn(program, options, { stdio: ['inherit', 'pipe', 'pipe'], env: { ...environment(), ...more } })
  running.add(child)
  let said = ''
  let counted
  const keep = (text) => {
    said = (said + text).slice(-SAID)
  }
  child.stderr.setEncoding('utf8').on('data', keep)
  createInterface({ input: child.stdout }).on('line', (line) => {
    counted = COUNTS.exec(line)?.groups ?? counted
    if (OF_WORKERD.test(line)) keep(`${line}\n`)
    else console.log(line)
  })
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(error.message)
      running.delete(child)
      resolve({ status: 1 })
    })
    child.once('close', (status) => {
      running.delete(child)
      if (status !== 0) process.stderr.write(said)
      resolve({ status: status ?? 1, counted })
    })
  })
}

/** A step that fails and counts no failure, as one that does not start, is one. */
function countsOf(step, status, counted = { passed: 0, failed: 0, skipped: 0 }) {
  let counts = { passed: Number(counted.passed), failed: Number(counted.failed), skipped: Number(counted.skipped) }
  try {
    counts = step.counts?.() ?? counts
  } catch {
    // It ended before it counted.
  }
  return status !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts
}

/** Ends all that was started, and the process as the signal would have. */
async function stop(signal) {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name).on(name, () => {})
  for (const child of running) child.removeAllListeners().kill('SIGTERM')
  await end({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal])
}

/** The guard ends what is left as soon as nobody holds the other end of its pipe. */
async function end(status) {
  guard.stdin.end()
  await unguarded
  process.exit(status)
}

function parentFolder() {
  if (process.env.TMPDIR !== undefined || !existsSync(IN_MEMORY)) return tmpdir()
  const { bavail, bsize } = statfsSync(IN_MEMORY)
  return bavail * bsize >= LEAST_BYTES ? IN_MEMORY : tmpdir()
}

function npm(script, ...options) {
  const path = process.env.npm_execpath
  const command = ['run', '--silent', script, ...(options.length > 0 ? ['--', ...options] : [])]
  return path === undefined ? ['npm', ...command] : ours(path, ...command)
}

/** Options by which these versions of Python are chosen. */
function on(...versions) {
  return versions.flatMap((version) => ['--python', version])
}

function pythonPackage(version, ...options) {
  const path = report(`pytest-${version}`)
  const counts = () => {
    const said = readFileSync(path, 'utf8')
    const [suite = ''] = /<testsuite [^>]*>/.exec(said) ?? []
    const number = (name) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? 0)
    const failed = number('failures') + number('errors')
    const skipped = number('skipped')
    const failures = [...said.matchAll(FAILED_OF_PYTEST)].map(
      ({ groups: { file, test, message } }) => `${version}: ${file} > ${test}: ${message}`,
    )
    return { passed: number('tests') - failed - skipped, failed, skipped, failures }
  }
  return { ...python(...on(version), ...options, '--', `--junitxml=${path}`), counts }
}

/** Any Python runs the script, which looks for one that is new enough. */
function python(...options) {
  const found = ['python3', 'python'].find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)
  if (found !== undefined) return { command: [found, `${PACKAGE}/run_tests.py`, ...options] }
  const why = 'The Python package is skipped: it needs Python 3.11 or later, and there is none on the path.'
  return { command: ours('--eval', 'console.log(process.argv[1])', why) }
}
