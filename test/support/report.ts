/** A reporter for scripts/test.mjs: counts the tests of a run, names the failed ones, and says why others were skipped. */
import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule, Vitest } from 'vitest/node'

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** A line for each reason to skip. */
  readonly lines: readonly string[]
  /** A line for each failed test: its file, its name and the first line of its error. */
  readonly failures: readonly string[]
}

export default class Report implements Reporter {
  private readonly path = process.env.MCB_TEST_REPORT

  onInit(vitest: Vitest): void {
    if (this.path === undefined) vitest.logger.warn('MCB_TEST_REPORT names no file: tests are not counted')
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (this.path !== undefined) writeFileSync(this.path, JSON.stringify(countsOf(modules)))
  }
}

export function countsOf(modules: readonly TestModule[]): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const reasons = new Map<string, number>()
  const failures: string[] = []
  const fail = (name: string, error: { readonly message: string } | undefined) => {
    counts.failed++
    failures.push(`${name}: ${error?.message.split('\n', 1)[0] ?? 'no error'}`)
  }
  for (const module of modules) {
    // A file that does not load has no tests, and a hook is none.
    for (const error of module.errors()) fail(module.relativeModuleId, error)
    for (const suite of module.children.allSuites()) {
      for (const error of suite.errors()) fail(`${module.relativeModuleId} > ${suite.fullName}`, error)
    }
    for (const test of module.children.allTests()) {
      const result = test.result()
      if (result.state === 'failed') fail(`${module.relativeModuleId} > ${test.fullName}`, result.errors[0])
      if (result.state === 'passed' || result.state === 'skipped') counts[result.state]++
      if (result.state !== 'skipped') continue
      const reason = `${module.relativeModuleId}: ${result.note ?? test.fullName}`
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
  }
  return {
    ...counts,
    failures,
    lines: [...reasons].map(([reason, times]) => `  ${reason}${times > 1 ? ` (${times} tests)` : ''}`),
  }
}
