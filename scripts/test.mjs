// `npm test`: formatting, types, then all test suites. Arguments go to vitest: `npm test -- test/http`.
import { spawnSync } from 'node:child_process'

const args = process.argv.slice(2)
if (args.includes('--help')) {
  console.log(`usage: npm test [-- VITEST ARGUMENTS]
  without arguments: biome, tsc, every vitest suite, and the Python package where Python 3.11 or later is installed`)
  process.exit(0)
}

const ours = (command) => [process.execPath, ...command]
const steps = [
  ['Formatting and lint', ours(['node_modules/@biomejs/biome/bin/biome', 'check', '.'])],
  ['Types', ours(['node_modules/typescript/bin/tsc', '-p', '.'])],
  ['Tests', ours(['node_modules/vitest/vitest.mjs', 'run', ...args])],
  ['Python package', pythonPackage()],
]
for (const [name, command] of args.length > 0 ? steps.slice(2, 3) : steps) {
  console.log(`\n== ${name}`)
  if (command === undefined) {
    console.log('The Python package was skipped: it needs Python 3.11 or later, and there is none on the path.')
    continue
  }
  const begun = Date.now()
  const [program, ...rest] = command
  const { status } = spawnSync(program, rest, { stdio: 'inherit' })
  if (status !== 0) {
    console.error(`${name}: failed.${name === 'Formatting and lint' ? ' `npm run format` mends formatting.' : ''}`)
    process.exit(status ?? 1)
  }
  console.log(`${name}: ${((Date.now() - begun) / 1000).toFixed(0)} s`)
}

/** The command that tests clients/python: any Python runs it, and it looks for one that is new enough. */
function pythonPackage() {
  const python = ['python3', 'python'].find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)
  return python && [python, 'clients/python/run_tests.py']
}
