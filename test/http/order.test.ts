/** The order of checks, with limits that small requests exceed. */
import { expect, test } from 'vitest'
import { order } from '../../conformance/kit/server/order.ts'
import { column, drawBatch, expectProblem, newApp, snapshot, withDraws } from './api.ts'
import { IN_PROCESS } from './in-process.ts'

const LIMITS = { bodyBytes: 5000, runMetaBytes: 5000, answerBytes: 60 }

order({ ...IN_PROCESS, open: async () => newApp({ limits: LIMITS }).api }, { hasLimits: true })

test('too many iterations come before what is wrong with them', async () => {
  const { api } = newApp({ limits: { batchIterations: 5 } })
  await withDraws(api, 0)
  const before = await snapshot(api)
  const message = drawBatch({ count: 6, step: 2, draws: [column('y', 1)] })
  const response = await api.request('POST', '/v1/runs/r/chains/0/draws', { body: message })
  expect(await expectProblem(response, 413, 'payload_too_large')).toMatchObject({ limit: 5 })
  expect(await snapshot(api)).toEqual(before)
})
