/** The report of a run: a line a topic while it runs, then failures, skips with their reasons, and the counts. */
import { stripVTControlCharacters } from 'node:util'
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

interface Fault {
  readonly message: string
  readonly diff?: string
}

/** Lines of a message that are shown. */
const LINES = 30

export class Report implements Reporter {
  passed = 0
  skipped = 0
  /** Tests of those that passed in which draws were written or read. */
  passedWithDraws = 0
  private readonly say: (line: string) => void
  private readonly grep: string | undefined
  private readonly failures: string[] = []
  private readonly skips = new Map<string, string[]>()

  /** `grep` is a text in the names of the tests that were asked for: others are none. */
  constructor(say: (line: string) => void, grep?: string) {
    this.say = say
    this.grep = grep
  }

  get failed(): number {
    return this.failures.length
  }

  onTestSuiteResult(suite: TestSuite): void {
    if (suite.parent.type !== 'suite' || suite.parent.parent.type !== 'module') return
    const states = [...suite.children.allTests()].map((test) => test.result().state)
    if (this.grep !== undefined && states.every((state) => state === 'skipped')) return
    const count = (state: string) => states.filter((each) => each === state).length
    const [failed, skipped] = [count('failed'), this.grep === undefined ? count('skipped') : 0]
    const more = `${failed > 0 ? `, ${failed} failed` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}`
    this.say(`${failed > 0 ? 'FAIL' : 'ok  '} ${suite.name}: ${count('passed')} passed${more}`)
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly Fault[]): void {
    for (const module of modules) this.takeModule(module)
    for (const error of errors) this.fail('outside of a test', error)
    if (this.failures.length > 0) this.say(`\nfailed\n\n${this.failures.join('\n\n')}`)
    if (this.skips.size > 0) this.say('\nskipped')
    for (const [reason, names] of this.skips) {
      const shown = names.length > 3 ? `${names.slice(0, 3).join('; ')}; … ${names.length} tests` : names.join('; ')
      this.say(`  ${reason}\n    ${shown}`)
    }
  }

  private takeModule(module: TestModule): void {
    for (const error of module.errors()) this.fail(module.relativeModuleId, error)
    for (const suite of module.children.allSuites()) {
      for (const error of suite.errors()) this.fail(suite.fullName, error)
    }
    for (const test of module.children.allTests()) this.take(test)
  }

  private take(test: TestCase): void {
    const result = test.result()
    const name = test.fullName.replace(/^(suite|duties) > /, '')
    if (result.state === 'passed') this.passed++
    if (result.state === 'passed' && 'hasDraws' in test.meta()) this.passedWithDraws++
    if (result.state === 'failed') this.fail(name, ...result.errors)
    if (result.state !== 'skipped' || !test.fullName.includes(this.grep ?? '')) return
    this.skipped++
    const reason = result.note ?? 'the drivers do not run'
    this.skips.set(reason, [...(this.skips.get(reason) ?? []), name])
  }

  private fail(name: string, ...errors: readonly Fault[]): void {
    const texts = errors.map(({ message, diff }) => `${message}${diff === undefined ? '' : `\n${diff}`}`)
    const lines = stripVTControlCharacters(texts.join('\n')).split('\n')
    const shown = lines.length > LINES ? [...lines.slice(0, LINES), `… ${lines.length} lines`] : lines
    this.failures.push(`  ${name}\n${shown.map((line) => `    ${line}`).join('\n')}`)
  }
}
