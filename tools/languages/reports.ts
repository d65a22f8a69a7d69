/** Counts of the tests of others' frameworks, from what they print or write. */
import { readFileSync } from 'node:fs'
import type { Counts } from '../common/counts.ts'

/** A file in JUnit's XML, as ctest writes it. @throws Error when there is none */
export function countsOfJUnit(path: string, name: string): Counts {
  const said = readFileSync(path, 'utf8')
  const [suite = ''] = /<testsuite\b[^>]*>/.exec(said) ?? []
  const number = (key: string) => Number(new RegExp(`\\b${key}="(\\d+)"`).exec(suite)?.[1] ?? 0)
  const failed = number('failures') + number('errors')
  const skipped = number('skipped') + number('disabled')
  const failures = [...said.matchAll(/<testcase name="(?<test>[^"]*)"[^>]*status="fail"/g)].map(
    ({ groups }) => `${name}: ${groups?.test}`,
  )
  return { passed: number('tests') - failed - skipped, failed, skipped, failures }
}

/** The closing line of testthat: `[ FAIL 0 | WARN 0 | SKIP 3 | PASS 120 ]`. */
export function countsOfTestthat(text: string, name: string): Counts {
  const found = /\[ FAIL (?<fail>\d+) \| WARN \d+ \| SKIP (?<skip>\d+) \| PASS (?<pass>\d+) \]/.exec(text)?.groups
  if (found === undefined) throw new Error(`${name}: testthat has not come to its end\n${text.slice(-4000)}`)
  const failures = [...text.matchAll(/^── (?:Failure|Error) \((?<test>[^)]*)\)(?<more>.*?)─*$/gm)].map(
    ({ groups }) => `${name}: ${groups?.test}${groups?.more}`,
  )
  return { passed: Number(found.pass), failed: Number(found.fail), skipped: Number(found.skip), failures }
}

/** The closing line of this project's own commands. */
export function countsOfLine(text: string, name: string): Counts {
  const found = /\b(?<passed>\d+) passed, (?<failed>\d+) failed, (?<skipped>\d+) skipped\s*$/.exec(text)?.groups
  if (found === undefined) throw new Error(`${name} has not come to its end\n${text.slice(-4000)}`)
  const failed = Number(found.failed)
  return {
    passed: Number(found.passed),
    failed,
    skipped: Number(found.skipped),
    failures: failed > 0 ? [`${name}: ${failed} failed`] : [],
  }
}
