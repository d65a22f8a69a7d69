/** Output of a run of tests: its counts in the end, and nothing that passing tests make other programs say. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

function npmTest(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync('npm', ['test', '--', ...args], { cwd: ROOT, encoding: 'utf8' })
  return { status, stdout, stderr, last: stdout.trimEnd().split('\n').at(-1) }
}

test('the last line has the counts', { timeout: 120_000 }, () => {
  const { status, last } = npmTest('test/core/slice.test.ts')
  expect(last).toMatch(/^[1-9]\d* passed, 0 failed, 0 skipped$/)
  expect(status).toBe(0)
})

test('a run that finds no test has failed', { timeout: 120_000 }, () => {
  const { status, last, stderr } = npmTest('test/no-such.test.ts')
  expect(last).toBe('0 passed, 1 failed, 0 skipped')
  expect(stderr).toContain('no-such')
  expect(status).toBe(1)
})

test('a skipped test says why, and workerd nothing', { timeout: 180_000 }, () => {
  // Objects break in the one, and the other is skipped where the reference draws are absent, or for a backend without draws.
  const { stdout, stderr } = npmTest('test/workers/restart.test.ts', 'test/conformance/null.test.ts')
  expect(stdout + stderr).not.toMatch(/uncaught exception|stack:|console warning/)
  expect(stdout).toContain('this backend keeps no draws')
})
