/** Figures that a store keeps of a run, and that the run's line of the list shows. */
import { expect, test } from 'vitest'
import type { RunDiagnostics } from '../../src/core/diagnostics/run-diagnostics.ts'
import { isMcbError } from '../../src/core/errors.ts'
import { floats } from './arrays.ts'
import type { Topic } from './suite.ts'

const X = [{ name: 'x', dtype: 'float64' }]
/** Milliseconds that the list may lag: those of docs/protocol.md §3, and as many as a busy machine adds. */
const LAG_MS = 15_000

const EARLIER: RunDiagnostics = {
  draws: 100,
  rhat: null,
  essBulk: null,
  essTail: null,
  divergences: null,
  bfmi: null,
  status: null,
  at: '2026-11-28T09:59:59.999Z',
}
const FIGURES: RunDiagnostics = {
  draws: 1000,
  rhat: 1.0123456789012346,
  essBulk: 310.25,
  essTail: 1e-3,
  divergences: 3,
  bfmi: 0.71,
  status: 'fail',
  at: '2026-11-28T10:00:00.000Z',
}
const LATER: RunDiagnostics = { ...FIGURES, draws: 2000, rhat: 1, status: 'ok', at: '2026-11-28T10:00:00.001Z' }

export const diagnostics: Topic = {
  name: 'diagnostics of runs',
  reads: false,
  define(suite) {
    const lineOf = async (rid: string) => {
      const { runs } = await suite.other.listRuns({ limit: 1000, archived: 'any' })
      return runs.find((run) => run.rid === rid)
    }
    const listed = (rid: string) =>
      expect.poll(async () => (await lineOf(rid))?.diagnostics, { timeout: LAG_MS, interval: 100 })

    test('a line and its about show them; no etag and no time of a write moves', async () => {
      const run = await suite.newRun(X)
      const neighbour = await suite.newRun(X)
      const chain = await run.initChain(0)
      await chain.appendBatch({ count: 3, draws: new Map([['x', floats([3], [1, 2, 3])]]) })
      const before = await run.about()
      expect(before.diagnostics).toBeNull()
      await suite.store.setDiagnostics(run.registration, FIGURES)
      const after = await run.about()
      expect(after).toEqual({ ...before, diagnostics: FIGURES, state: after.state })
      await listed(run.rid).toEqual(FIGURES)
      expect((await lineOf(run.rid))?.updatedAt).toEqual(before.updatedAt)
      await listed(neighbour.rid).toBeNull()
      expect(await suite.other.getRun(neighbour.rid).then((found) => found?.about())).toMatchObject({
        diagnostics: null,
      })
    })

    test('those of a later moment replace them, and those of an earlier one do not', async () => {
      const run = await suite.newRun(X)
      for (const figures of [EARLIER, LATER, FIGURES]) await suite.store.setDiagnostics(run.registration, figures)
      expect((await run.about()).diagnostics).toEqual(LATER)
      await suite.store.setDiagnostics(run.registration, EARLIER)
      expect((await run.about()).diagnostics).toEqual(LATER)
      await listed(run.rid).toEqual(LATER)
    })

    test('a change of names and facts keeps them, and is none of the condition of another', async () => {
      const run = await suite.newRun(X)
      const { etag } = await run.about()
      await suite.store.setDiagnostics(run.registration, FIGURES)
      const named = await run.setAbout({ name: 'named', tags: ['a'] }, { ifMatch: etag })
      expect(named).toMatchObject({ name: 'named', diagnostics: FIGURES })
      await suite.store.setDiagnostics(run.registration, LATER)
      expect(await run.about()).toMatchObject({ name: 'named', tags: ['a'], etag: named.etag, diagnostics: LATER })
      // Rows are counted in what follows: the list must have learned of this run.
      await expect.poll(async () => (await lineOf(run.rid))?.tags, { timeout: LAG_MS, interval: 100 }).toEqual(['a'])
      await listed(run.rid).toEqual(LATER)
    })

    test('they go with the run', async () => {
      const before = await suite.countRows()
      const run = await suite.newRun(X)
      await suite.store.setDiagnostics(run.registration, FIGURES)
      expect(await suite.other.deleteRun(run.rid)).toBe(true)
      expect(await suite.countRows()).toBe(before)
      const late = await suite.store.setDiagnostics(run.registration, LATER).then(
        () => 'kept',
        (error: unknown) => (isMcbError(error) ? error.code : String(error)),
      )
      expect(late).toBe('run_not_found')
      expect(await suite.countRows()).toBe(before)
      const again = await suite.backend.initRun({ rid: run.rid, variables: X })
      expect((await again.about()).diagnostics).toBeNull()
      await listed(run.rid).toBeNull()
    })
  },
}
