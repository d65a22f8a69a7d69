/** Counts of pytest's reports, in the form in which scripts/test.mjs adds them up. */
import { readFileSync } from 'node:fs'

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** A line for each failed test. */
  readonly failures: readonly string[]
}

const FAILED =
  /<testcase classname="(?<file>[^"]*)" name="(?<test>[^"]*)"[^>]*><(?:failure|error) message="(?<message>(?:(?!&#10;)[^"])*)/g

/** Reads a report in JUnit's XML. @throws Error when pytest did not come to write one */
export function countsOf(path: string, environment: string): Counts {
  const said = readFileSync(path, 'utf8')
  const [suite = ''] = /<testsuite [^>]*>/.exec(said) ?? []
  const number = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? 0)
  const [failed, skipped] = [number('failures') + number('errors'), number('skipped')]
  const failures = [...said.matchAll(FAILED)].map(
    ({ groups }) => `readers, ${environment}: ${groups?.file} > ${groups?.test}: ${groups?.message}`,
  )
  return { passed: number('tests') - failed - skipped, failed, skipped, failures }
}

export function sum(all: readonly Counts[]): Counts {
  const add = (kind: 'passed' | 'failed' | 'skipped') => all.reduce((total, counts) => total + counts[kind], 0)
  return {
    passed: add('passed'),
    failed: add('failed'),
    skipped: add('skipped'),
    failures: all.flatMap((counts) => counts.failures),
  }
}
