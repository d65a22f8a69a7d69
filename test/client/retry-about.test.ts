/** Changes of names, notes and facts through a network that fails, beside other clients, and on older servers. */
import { expect, test } from 'vitest'
import { HttpBackend, isMcbError } from '../../src/client/index.ts'
import { EAGER, startApp, URL_OF_APP } from './server.ts'

const X = { rid: 'run', variables: [{ name: 'x', dtype: 'float64' }] }

/** A client whose answers to PATCH are lost, one for each entry that is true, and a moment in which others act before the next. */
async function losing(losses: boolean[], meanwhile: (other: HttpBackend) => Promise<unknown> = async () => {}) {
  const server = startApp()
  const other = new HttpBackend({ url: URL_OF_APP, fetch: server.fetch })
  const requests: string[] = []
  const fetch = async (request: Request) => {
    requests.push(request.method)
    const answer = await server.fetch(request)
    if (request.method !== 'PATCH' || losses.shift() !== true) return answer
    await meanwhile(other)
    throw new TypeError('the connection was lost')
  }
  const backend = new HttpBackend({ url: URL_OF_APP, fetch, retry: EAGER })
  const run = await backend.initRun(X)
  return { run, requests, other }
}

const codeOf = (error: unknown) => (isMcbError(error) ? error.code : error)

test('a change whose answer was lost is made once, with a condition and without', async () => {
  for (const conditional of [true, false]) {
    const { run } = await losing([true])
    const { etag } = await run.about()
    const patch = { name: 'A', tags: ['a', 'a'], facts: { list: [1] } }
    const changed = await run.setAbout(patch, conditional ? { ifMatch: etag } : {})
    expect(changed).toMatchObject({ name: 'A', tags: ['a'], facts: { list: [1] } })
    expect(changed.etag).toMatch(/-1"$/)
  }
})

test('a repeated change does not undo a later one of somebody else', async () => {
  const { run, other } = await losing([true], async (client) => {
    await (await client.getRun('run'))?.setAbout({ name: 'B' })
  })
  const outcome = await run.setAbout({ name: 'A' }).then(() => 'changed', codeOf)
  expect(outcome).toBe('about_changed')
  expect((await (await other.getRun('run'))?.about())?.name).toBe('B')
})

test('a change that met another one is made on top of it', async () => {
  const { run, other } = await losing([])
  const same = await other.getRun('run')
  const patches = Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? run : same)?.setAbout({ facts: { [`k${i}`]: i } }))
  await Promise.all(patches)
  expect(Object.keys((await run.about()).facts)).toHaveLength(8)
})

test('values that JSON has not are refused before anything is sent', async () => {
  const { run, requests } = await losing([])
  const before = requests.length
  const circle: { [name: string]: object } = {}
  circle.self = circle
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, new Map(), circle, () => 1, Symbol('s')]) {
    const patch = JSON.parse('{"facts":{}}')
    patch.facts.value = value
    expect(await run.setAbout(patch).catch(codeOf)).toBe('invalid_about')
  }
  expect(requests).toHaveLength(before)
  const at = new Date(Date.UTC(2026, 0, 1))
  const dated = JSON.parse('{"facts":{}}')
  dated.facts.startedAt = at
  expect((await run.setAbout(dated)).facts).toEqual({ startedAt: at.toISOString() })
})

test('an older server, which finds nothing by conditions, is no reason to take all runs for those found', async () => {
  const line = { rid: 'old', createdAt: '2026-01-01T00:00:00.000Z', updatedAt: '2026-01-01T00:00:00.000Z' }
  const page = { runs: [{ ...line, variables: 1, sampleStats: 0, chains: 0, draws: 0 }] }
  const backend = new HttpBackend({ url: URL_OF_APP, fetch: async () => Response.json(page), retry: EAGER })
  const { runs } = await backend.listRuns({ limit: 10, tag: [] })
  expect(runs).toMatchObject([
    { rid: 'old', name: null, tags: [], archived: false, state: 'silent', diagnostics: null },
  ])
  for (const query of [{ tag: ['scratch'] }, { q: 'old' }, { attr: [['k', 'v']] as const }, { since: new Date() }])
    expect(await backend.listRuns(query).catch(codeOf)).toBe('not_found')
})
