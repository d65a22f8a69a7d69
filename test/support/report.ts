/** A reporter for scripts/test.mjs: counts the tests of a run, and says why the skipped ones were. */
import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule, Vitest } from 'vitest/node'

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** A line for each reason to skip. */
  readonly lines: readonly string[]
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
  for (const module of modules) {
    // A file that does not load has no tests.
    counts.failed += module.errors().length
    for (const test of module.children.allTests()) {
      const result = test.result()
      if (result.state === 'pending') continue
      counts[result.state]++
      if (result.state !== 'skipped') continue
      const reason = `${module.relativeModuleId}: ${result.note ?? test.fullName}`
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
  }
  return {
    ...counts,
    lines: [...reasons].map(([reason, times]) => `  ${reason}${times > 1 ? ` (${times} tests)` : ''}`),
  }
}
