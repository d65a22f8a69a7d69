/** Figures of a whole run: the worst of each, and whatever nothing tells. */
import { expect, test } from 'vitest'
import { checksOf } from '../../../../src/core/diagnostics/checks/checks.ts'
import type { Distribution, FigureValue } from '../../../../src/core/diagnostics/checks/distribution.ts'
import { noEvidence } from '../../../../src/core/diagnostics/checks/draw-evidence.ts'
import { essDistribution } from '../../../../src/core/diagnostics/checks/ess-check.ts'
import type { Evidence } from '../../../../src/core/diagnostics/checks/evidence.ts'
import { rhatDistribution } from '../../../../src/core/diagnostics/checks/rhat-check.ts'
import { worstFigures } from '../../../../src/core/diagnostics/checks/worst-figures.ts'
import { isNews, type RunDiagnostics, readRunDiagnostics } from '../../../../src/core/diagnostics/run-diagnostics.ts'

const AT = Date.UTC(2026, 10, 29, 5, 30, 1, 7)
function filled(distribution: Distribution, values: readonly FigureValue[]): Distribution {
  for (const [row, value] of values.entries()) distribution.add(row, value)
  return distribution
}

const rhats = (...values: FigureValue[]) => filled(rhatDistribution(), values)
const esss = (...values: FigureValue[]) => filled(essDistribution(2), values)

const EVIDENCE: Evidence = {
  now: AT,
  isOver: false,
  progress: [0, 1].map((chain) => ({ chain, length: 600, updatedAt: AT, pause: 1 })),
  chains: [0, 1],
  draws: 500,
  scalars: 3,
  label: (row) => `x[${row}]`,
  rhat: rhats(1.001, 1.02, 'constant'),
  essBulk: esss(310.5, 900, 'constant'),
  essTail: esss(800, 288.25, 'constant'),
  ess: esss(310.5, 288.25, 'constant'),
  inDraws: { ...noEvidence(2), scalars: 3, varying: 2 },
  divergences: { marked: [1, 2], draws: 500 },
  bfmi: ['constant', 0.71],
  treeDepths: 'absent',
  blame: [],
  growth: [],
  seconds: 60,
}

const of = (change: Partial<Evidence> = {}) => {
  const evidence = { ...EVIDENCE, ...change }
  return worstFigures(evidence, checksOf(evidence), AT)
}

test('the worst of all scalars, chains and checks', () => {
  expect(of()).toEqual({
    draws: 500,
    rhat: 1.02,
    essBulk: 310.5,
    essTail: 288.25,
    divergences: 3,
    bfmi: 0.71,
    status: 'fail',
    at: '2026-11-29T05:30:01.007Z',
  })
  expect(of({ divergences: { marked: [0, 0], draws: 500 } })).toMatchObject({ divergences: 0, status: 'warn' })
})

test('nothing while R-hat or ESS of a scalar is pending, or of too few draws', () => {
  const waiting = esss(9, 'pending', 9)
  for (const pending of [{ rhat: rhats(1, 'pending', 1) }, { essBulk: waiting }, { essTail: waiting }]) {
    expect(of(pending)).toBeUndefined()
  }
  for (const draws of [0, 49]) expect(of({ draws })).toBeUndefined()
  expect(of({ draws: 50 })).toBeDefined()
})

test('null for what nothing tells, and for what is not finite', () => {
  const none = { divergences: 'absent', bfmi: 'absent', treeDepths: 'absent' } as const
  const all = esss('constant', 'constant', 'constant')
  expect(of({ ...none, rhat: all, essBulk: all, essTail: all, ess: all })).toMatchObject({
    ...{ rhat: null, essBulk: null, essTail: null, divergences: null, bfmi: null },
  })
  expect(of({ rhat: rhats(1, 'infinite', 1) })).toMatchObject({ rhat: null, status: 'fail' })
  expect(of({ bfmi: ['constant', 'nan'] })).toMatchObject({ bfmi: null })
})

test('no status while a check waits, unless one has failed', () => {
  const well = { divergences: { marked: [0, 0], draws: 500 } }
  expect(of({ ...well, inDraws: { ...noEvidence(2), scalars: 2, varying: 2 } })).toMatchObject({ status: null })
  expect(of({ ...well, bfmi: 'pending' })).toMatchObject({ status: null, bfmi: null })
  expect(of({ inDraws: noEvidence(2) })).toMatchObject({ status: 'fail' })
})

test('what is read is what was written; members of other releases do no harm', () => {
  const written = of()
  expect(readRunDiagnostics(JSON.parse(JSON.stringify(written)))).toEqual(written)
  expect(readRunDiagnostics({ draws: 1, at: 'a', status: 'odd', rhat: 'x', more: 1 })).toEqual({
    ...{ draws: 1, rhat: null, essBulk: null, essTail: null, divergences: null, bfmi: null, status: null, at: 'a' },
  })
  for (const none of [undefined, null, 'x', [], {}, { draws: 3 }]) expect(readRunDiagnostics(none)).toBeNull()
})

test('news are other figures, but not the loss of some that were there', () => {
  const whole = of() as RunDiagnostics
  const part = { ...whole, status: null, divergences: null }
  expect(isNews(null, part)).toBe(true)
  expect(isNews(part, whole)).toBe(true)
  expect(isNews(whole, part)).toBe(false)
  expect(isNews(whole, { ...part, draws: 501 })).toBe(true)
  expect(isNews(whole, { ...whole, at: '2027-01-01T00:00:00.000Z' })).toBe(false)
})
