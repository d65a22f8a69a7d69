/** Checks through the client: numbers that are pending, servers that check nothing, and answers that make no sense. */
import { describe, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { examine, HttpBackend, type HttpRun } from '../../src/client/index.ts'
import { LocalBench } from '../../src/core/summary/bench.ts'
import { Summaries } from '../../src/core/summary/summaries.ts'
import { Workshop, type WorkshopOptions } from '../../src/core/summary/workshop.ts'
import { StoreBackend } from '../../src/runs/backend.ts'
import { chainsOf } from '../support/draws-of-chains.ts'

interface Server {
  readonly workshop: WorkshopOptions
  /** Answers instead of the server. */
  readonly answer: (request: Request) => Response | undefined
}

/** A run of two chains of 100 draws on a server, and what its checks were asked with. */
async function open({ workshop, answer = () => undefined }: Partial<Server> = {}) {
  const prefer: (string | null)[] = []
  const backend = new StoreBackend(new MemoryStore())
  const summaries = new Summaries(new Workshop(new LocalBench(), workshop))
  const app = createApp({ openBackend: () => backend, summaries })
  const fetch = async (request: Request) => {
    if (!new URL(request.url).pathname.endsWith('/checks')) return app.fetch(request)
    prefer.push(request.headers.get('Prefer'))
    return answer(request) ?? app.fetch(request)
  }
  const client = new HttpBackend({ url: 'http://server.test', fetch, retry: { limit: 0 } })
  const run = await client.initRun({ rid: 'r', variables: [{ name: 'x', dtype: 'float64' }] })
  for (const number of [0, 1]) {
    const chain = await run.initChain(number)
    for (const x of chainsOf(1, 100, undefined, number)) await chain.append({ x })
  }
  return { run, prefer }
}

const statuses = async (run: HttpRun) => (await run.checks()).checks.map(({ check, status }) => [check, status])

describe('checks through the client', () => {
  test('are of what it has appended, and the same as computed here', async () => {
    const { run } = await open()
    const checks = await run.checks()
    expect(checks).toMatchObject({ rid: 'r', registration: run.registration, draws: 100 })
    expect(checks).not.toHaveProperty('progress')
    const [, ...expected] = (await examine(run)).checks
    expect(checks.checks.slice(1)).toEqual(expected)
  })

  test('are asked for until every number is known, and tell how far they are', async () => {
    const gate = Promise.withResolvers<void>()
    const { run, prefer } = await open({ workshop: { rest: () => gate.promise } })
    const shares: number[] = []
    const { checks } = await run.checks({
      onProgress: (share) => {
        shares.push(share)
        gate.resolve()
      },
    })
    expect(checks.find(({ check }) => check === 'finite')?.status).toBe('ok')
    expect(shares).toEqual([0])
    expect(prefer).toEqual(['wait=1', 'wait=2'])
  })

  test('are computed here for a server of an older release', async () => {
    const problem = { type: 'about:blank', title: 't', status: 404, detail: 'd', code: 'not_found' }
    const headers = { 'Content-Type': 'application/problem+json' }
    const { run } = await open({ answer: () => new Response(JSON.stringify(problem), { status: 404, headers }) })
    expect(Object.fromEntries(await statuses(run))).toMatchObject({ finite: 'ok', stuck: 'ok', divergences: 'unknown' })
  })

  test('of a newer server are those that are known here', async () => {
    const known = { check: 'rhat', status: 'warn', message: 'm', advice: 'a', worst: [{ label: 'x', value: null }] }
    const answer = { rid: 'r', registration: 'x', draws: 1, status: 'fail', checks: [{ check: 'new' }, known], more: 1 }
    const { run } = await open({ answer: () => Response.json(answer) })
    expect(await run.checks()).toEqual({ rid: 'r', registration: 'x', draws: 1, status: 'fail', checks: [known] })
  })

  test.each([
    [{}],
    [{ rid: 'r', registration: 'x', draws: 1, status: 'bad', checks: [] }],
    [
      {
        rid: 'r',
        registration: 'x',
        draws: 1,
        status: 'ok',
        checks: [{ check: 'rhat', status: 'ok', message: 1, advice: '' }],
      },
    ],
    [{ rid: 'r', registration: 'x', draws: 1, status: 'ok', checks: {} }],
  ])('that make no sense are an error: %j', async (answer) => {
    const { run } = await open({ answer: () => Response.json(answer) })
    await expect(run.checks()).rejects.toThrow()
  })
})
