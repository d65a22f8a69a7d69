// `npm test`: formatting, types, then all test suites. Arguments go to vitest: `npm test -- test/http`.
import { spawnSync } from 'node:child_process'

const args = process.argv.slice(2)
if (args.includes('--help')) {
  console.log('usage: npm test [-- VITEST ARGUMENTS]   without arguments: biome, tsc, and every suite')
  process.exit(0)
}

const steps = [
  ['Formatting and lint', ['node_modules/@biomejs/biome/bin/biome', 'check', '.']],
  ['Types', ['node_modules/typescript/bin/tsc', '-p', '.']],
  ['Tests', ['node_modules/vitest/vitest.mjs', 'run', ...args]],
]
for (const [name, command] of args.length > 0 ? steps.slice(2) : steps) {
  console.log(`\n== ${name}`)
  const begun = Date.now()
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' })
  if (status !== 0) {
    console.error(`${name}: failed. \`npm run format\` mends formatting.`)
    process.exit(status ?? 1)
  }
  console.log(`${name}: ${((Date.now() - begun) / 1000).toFixed(0)} s`)
}
