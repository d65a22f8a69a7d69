/** The steps of a user of the client, on any platform: register, append, watch, read back, and meet an error. */
import { HttpBackend, McbError } from 'mcbackend-edge-client'

const DRAWS = 2500

const thetaOf = (i) => Float64Array.of(i / 7, -i)
const bigOf = (i) => 2n ** 60n + BigInt(i)
const wordOf = (i) => `draw ${i} ✓`

function expectSame(what, seen, expected) {
  const text = (value) => JSON.stringify(value, (_, member) => (typeof member === 'bigint' ? `${member}n` : member))
  if (text(seen) !== text(expected)) throw new Error(`${what}: ${text(seen)} instead of ${text(expected)}`)
}

/** Rejects when anything is not as it should be; else gives one line that tells what was done. */
export async function useClient(url) {
  const backend = new HttpBackend({ url })
  const run = await backend.initRun({
    variables: [
      { name: 'theta', dtype: 'float64', shape: [2] },
      { name: 'big', dtype: 'int64' },
      { name: 'word', dtype: 'str' },
    ],
    sampleStats: [{ name: 'tune', dtype: 'bool' }],
  })
  const chain = await run.initChain(0)
  for (let i = 0; i < DRAWS; i++) {
    await chain.append({ theta: thetaOf(i), big: bigOf(i), word: wordOf(i) }, { tune: i < 500 })
  }
  await chain.close()

  const reader = new HttpBackend({ url })
  const seen = await reader.getRun(run.rid)
  const read = await seen.getChain(0)
  expectSame('length', await read.length(), DRAWS)
  for await (const growth of seen.watch()) {
    expectSame('watch', growth, { chain: 0, length: DRAWS })
    break
  }
  const theta = await read.getDraws('theta')
  expectSame('shape', theta.shape, [DRAWS, 2])
  for (let i = 0; i < DRAWS; i++) expectSame(`theta ${i}`, [...theta.data.slice(2 * i, 2 * i + 2)], [...thetaOf(i)])
  const last = DRAWS - 1
  expectSame('big', [...(await read.getDraws('big', { start: -1 })).data], [bigOf(last)])
  expectSame('word', [...(await read.getDraws('word', { start: 7, stop: 0, step: -3 })).data], [7, 4, 1].map(wordOf))
  expectSame('tune', [...(await read.getStats('tune', { start: 499, stop: 501 })).data], [1, 0])

  const asked = { variables: ['theta'], columns: ['mean', 'ess_bulk', 'rhat'] }
  const summary = await seen.summary(asked)
  expectSame(
    'draws of the summary',
    [summary.draws, summary.rows.map(({ label }) => label)],
    [2000, ['theta[0]', 'theta[1]']],
  )
  expectSame('mean', Math.abs(summary.rows[0].figures[0] - 1499.5 / 7) < 1e-9, true)
  const { fetch } = globalThis
  // A server of an older release has no summaries: the client computes the same ones.
  const older = (request) => fetch(request.url.includes('/summary?') ? `${url}/older` : request)
  const run2 = await new HttpBackend({ url, fetch: older }).getRun(run.rid)
  expectSame('summary that is computed here', await run2.summary(asked), summary)

  const failure = await reader.initRun({ rid: run.rid, variables: [] }).catch((error) => error)
  expectSame('error', [failure instanceof McbError, failure.code], [true, 'run_conflict'])
  expectSame('deletion', await reader.deleteRun(run.rid), true)
  return `${DRAWS} draws written and read`
}
