/** R-hat and ESS that posteriordb published with its reference draws: computed by R's posterior before the draws were rounded to 15 digits. */
import { describe, expect, test } from 'vitest'
import { essBulk, essTail } from '../../../src/core/diagnostics/ess.ts'
import { rhat } from '../../../src/core/diagnostics/rhat.ts'
import { Scalar, Workspace } from '../../../src/core/diagnostics/scalar.ts'
import { referenceDiagnostics, referenceDraws } from '../../support/posteriordb.ts'

const draws = referenceDraws()
const diagnostics = referenceDiagnostics()

function expectNear(what: string, got: unknown, expected: number | undefined, relative: number): void {
  expect(expected, what).toBeTypeOf('number')
  const error = Math.abs(Number(got) / Number(expected) - 1)
  expect(error, `${what}: ${got}, not ${expected}`).toBeLessThanOrEqual(relative)
}

describe('reference posteriors', () => {
  test('are two', ({ skip }) => {
    if (draws === undefined || diagnostics === undefined) return skip('../shared/data/posteriordb is absent')
    expect(Object.keys(diagnostics)).toHaveLength(2)
  })

  for (const [posterior, { names, ...published }] of Object.entries(diagnostics ?? {})) {
    test(`${posterior}: ESS to 1e-12, R-hat to the tie that rounding lost`, () => {
      const chains = draws?.[posterior] ?? []
      const workspace = new Workspace(chains.length, 1000)
      expect(names.length).toBeGreaterThan(2)
      names.forEach((name, i) => {
        const values = Float64Array.from(chains.flatMap((chain) => chain[name] ?? []))
        const scalar = new Scalar(workspace, values, 'posterior')
        expectNear(`bulk ESS of ${name}`, essBulk(scalar), published.essBulk[i], 1e-12)
        expectNear(`tail ESS of ${name}`, essTail(scalar), published.essTail[i], 1e-12)
        expectNear(`R-hat of ${name}`, rhat(scalar), published.rhat[i], 2e-6)
      })
    })
  }
})
