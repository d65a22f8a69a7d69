/** docs/protocol.md says what this server does: fields, endpoints, codes, limits, and the first round trip of a client. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ERRORS, isErrorCode } from '../../src/core/errors.ts'
import { DEFAULT_BOUNDS, DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { goldenBytes } from '../core/golden.ts'
import { bytesOf, jsonOf, newApp } from './api.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const PAGE = read('docs/protocol.md')

/** Text from the heading of a section to the next one. */
function section(number: number): string {
  const [, text] = PAGE.split(new RegExp(`^## ${number}\\. .*$`, 'm'))
  return text?.split(/^## /m)[0] ?? ''
}

/** Cells of the rows of all tables in a text. */
function rows(text: string): string[][] {
  return [...text.matchAll(/^\| (.*) \|$/gm)].map(([, row = '']) => row.split('|').map((cell) => cell.trim()))
}

test('§1 has the fields of the schema', () => {
  const schema = ['meta', 'npproto/ndarray', 'draws'].map((name) => read(`protobufs/${name}.proto`)).join('\n')
  const messages = [...schema.matchAll(/^message (\w+) \{\n([\s\S]*?)^\}/gm)]
  expect(messages.length).toBe(9)
  const told = new Map(rows(section(1)).map(([name = '', fields = '']) => [name.replaceAll('`', ''), fields]))
  for (const [, name = '', body = ''] of messages) {
    const fields = [...body.matchAll(/^ +((?:repeated )?[\w.<>, ]+) = (\d+);/gm)].map(([, of, n]) => `${of}=${n}`)
    const spans = [...(told.get(name) ?? '').matchAll(/`([^`]+=\d+)`/g)].map(([, field]) => field)
    expect({ name, fields: spans }).toEqual({ name, fields })
  }
})

test('§3 and §12 have the endpoints', async () => {
  const document = await jsonOf(await newApp().api.get('/openapi.json'))
  const served = Object.entries<object>(document.paths).flatMap(([path, item]) =>
    // HEAD is where GET is.
    Object.keys(item).flatMap((method) => (method === 'head' ? [] : [`${method.toUpperCase()} ${path}`])),
  )
  const told = rows(section(3) + section(12)).flatMap(
    ([cell = '']) => /`((?:GET|PUT|POST|PATCH|DELETE) \/[^`?]*)/.exec(cell)?.[1] ?? [],
  )
  expect(told.sort()).toEqual(served.sort())
})

test('§4 has the codes with their statuses', () => {
  const told = rows(section(4)).flatMap(([status = '', code = '']) =>
    /^\d{3}$/.test(status) ? [`${code.replaceAll('`', '')} ${status}`] : [],
  )
  const known = Object.entries(ERRORS).map(([code, [status]]) => `${code} ${status}`)
  expect(told.sort()).toEqual([...known, 'unknown_variable 404'].sort())
})

test('§4 has the fields of the codes', () => {
  for (const [, code = '', , cell = ''] of rows(section(4)).filter(([status = '']) => /^\d{3}$/.test(status))) {
    const name = code.replaceAll('`', '')
    const told = [...cell.matchAll(/`(\w+)`/g)].map(([, field]) => field)
    const kinds = Object.entries<string>((isErrorCode(name) && ERRORS[name][2]) || {})
    const known = kinds.map(([field]) => field)
    // The methods of a resource stand in a header.
    const always = kinds.flatMap(([field, kind]) => (kind.endsWith('?') || field === 'allow' ? [] : [field]))
    expect(known, name).toEqual(expect.arrayContaining(told))
    expect(told, name).toEqual(expect.arrayContaining(always))
  }
})

test('§5 has the limits', () => {
  const mib = (bytes: number) => `${bytes / 1024 / 1024} MiB`
  const number = (n: number) => n.toLocaleString('en')
  const { bodyBytes, runMetaBytes, jsonBytes, batchIterations, answerBytes, columns, chains, keys, shares } =
    DEFAULT_LIMITS
  const { bodiesBytes, tenantBodiesBytes, answers, eventStreams, bodyStreams, stallMs, silenceMs } = DEFAULT_BOUNDS
  const limits = rows(section(5)).map(([what, limit]) => `${what}: ${limit}`)
  for (const [what, ...said] of [
    ['a body, decoded', mib(bodyBytes), mib(runMetaBytes), `JSON ${mib(jsonBytes)}`],
    ['iterations of a batch', number(batchIterations)],
    ['an answer', `${answerBytes / 1024 ** 3} GiB`],
    ['variables and sampler stats', number(columns)],
    ['chains of a run', number(chains)],
    ['keys of a tenant', number(keys), number(shares)],
    ['bodies in flight', mib(bodiesBytes), mib(tenantBodiesBytes)],
    ['answers to reads', String(answers), number(eventStreams)],
    ['bodies that are streams', String(bodyStreams)],
    ['a silence of such a body', `${silenceMs / 3_600_000} h`],
    ['a body without progress', `${stallMs / 1000} s`],
  ] as const) {
    const row = limits.find((line) => line.startsWith(what))
    for (const text of said) expect(row, what).toContain(text)
  }
})

test('the first round trip of conformance/README.md', async () => {
  const { api } = newApp()
  const run = '/v1/runs/variables'
  const meta = goldenBytes('runmeta/variables')
  expect((await api.request('PUT', run, { body: meta })).status).toBe(201)
  expect((await api.request('PUT', run, { body: meta })).status).toBe(200)
  expect(await bytesOf(await api.get(run))).toEqual(meta)
  expect(await jsonOf(await api.request('PUT', `${run}/chains/0`))).toMatchObject({ chain: 0, length: 0 })
  for (const form of ['variables', 'variables-unpacked']) {
    const answer = await api.request('POST', `${run}/chains/0/draws`, { body: goldenBytes(`draws/${form}`) })
    expect([form, await jsonOf(answer)]).toEqual([form, { chain: 0, length: 3 }])
  }
})
