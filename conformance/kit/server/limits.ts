/** Limits (docs/protocol.md §5) that small requests exceed: compressed bodies, and counts. Deployments may set others. */
import { gzipSync } from 'node:zlib'
import { describe, expect, type TestContext, test } from 'vitest'
import {
  column,
  DRAWS,
  drawBatch,
  expectProblem,
  JSON_TYPE,
  jsonOf,
  PROTOBUF,
  runMeta,
  withDraws,
} from '../../../test/http/api.ts'
import type { Subject } from './subject.ts'

const MIB = 1024 * 1024

const BODIES: readonly (readonly [string, method: string, path: string, type: string, bytes: number])[] = [
  ['a batch', 'POST', DRAWS, PROTOBUF, 64 * MIB],
  ['a RunMeta', 'PUT', '/v1/runs/new', PROTOBUF, 16 * MIB],
  ['a batch as JSON', 'POST', DRAWS, JSON_TYPE, 8 * MIB],
  ['a RunMeta as JSON', 'PUT', '/v1/runs/new', JSON_TYPE, 8 * MIB],
]

/** The answer refuses what is more than `limit`. Skipped where the server takes more: that is seen by what else is wrong. */
async function expectLimited(server: Subject, { skip }: TestContext, response: Response, limit: number): Promise<void> {
  const isOther = server.mayLack && [400, 415, 422].includes(response.status)
  if (isOther) skip(`the server takes more than ${limit.toLocaleString('en')}: it answers ${response.status}`)
  const problem = await expectProblem(response, 413, 'payload_too_large')
  expect(Number(problem.limit)).toBeGreaterThan(0)
  expect(Number(problem.limit)).toBeLessThanOrEqual(limit)
}

/** Declares the tests of limits. */
export function limits(server: Subject): void {
  describe('limits', () => {
    for (const [what, method, path, type, bytes] of BODIES) {
      test(`${what} that unfolds to more`, async (context) => {
        const api = await server.open()
        await withDraws(api, 0)
        // Spaces are neither a message nor a value.
        const body = new Uint8Array(gzipSync(Buffer.alloc(bytes + 1, ' ')))
        const headers = { 'Content-Type': type, 'Content-Encoding': 'gzip' }
        await expectLimited(server, context, await api.request(method, path, { body, headers }), bytes)
        expect(await jsonOf(await api.get('/v1/runs/r/chains/0'))).toMatchObject({ length: 0 })
      })
    }

    test('iterations of a batch, before what else is wrong with it', async (context) => {
      const api = await server.open()
      await withDraws(api, 0)
      const body = drawBatch({ count: 1_000_001, step: 2, draws: [column('y', 1)] })
      await expectLimited(server, context, await api.request('POST', DRAWS, { body }), 1_000_000)
    })

    test('variables and sampler stats together', async ({ skip }) => {
      const api = await server.open()
      const names = Array.from({ length: 5001 }, (_, i) => ({ name: `${i}`, dtype: 'int8' }))
      const body = runMeta({ variables: names, sampleStats: names })
      const response = await api.request('PUT', '/v1/runs/new', { body })
      if (server.mayLack && response.status === 201) skip('the server takes more than 10,000 variables and stats')
      await expectProblem(response, 422, 'invalid_run_meta')
      await expectProblem(await api.get('/v1/runs/new'), 404, 'run_not_found')
    })
  })
}
