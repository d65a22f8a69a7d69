/** JSON in (docs/protocol.md §10) on workerd, with run objects and with D1 alone: its numbers keep all their digits there, too. */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, describe, expect, test } from 'vitest'
import { createWorker, type Env } from '../../src/worker/handler.ts'
import { d1Only } from './local.ts'
import { quiet } from './objects.ts'

afterAll(quiet)

const STORAGES: Readonly<Record<string, Env>> = { objects: env, D1: d1Only }

describe.each(Object.entries(STORAGES))('%s', (name, bindings) => {
  const worker = createWorker()
  const run = `http://worker.test/v1/runs/json-${name}`
  const send = (method: string, url: string, text?: string, type = 'application/json') =>
    worker.fetch(
      new Request(url, {
        method,
        headers: { 'Content-Type': type, Accept: type },
        ...(text !== undefined && { body: text }),
      }),
      bindings,
      createExecutionContext(),
    )

  test('a run and its draws, appended once and read back', async () => {
    const meta = `{"variables":[{"name":"n","dtype":"int64"},{"name":"x","dtype":"float64","shape":["-1"]},
      {"name":"__proto__","dtype":"str"}],"sampleStats":[{"name":"lp","dtype":"float32"}],"attributes":{"a":{"listValue":[1]}}}`
    expect((await send('PUT', run, meta)).status).toBe(201)
    expect((await send('PUT', run, meta)).status).toBe(200)
    await send('PUT', `${run}/chains/0`)
    const draws = `"draws":{"n":["9007199254740993",-9007199254740992],"x":[[],[-0.0,"NaN"]],"__proto__":["é","\\ud83d\\ude00"]}`
    for (const _again of [1, 2]) {
      const answer = await send(
        'POST',
        `${run}/chains/0/draws`,
        `{"start":0,${draws},"stats":{"lp":[0.5,"-Infinity"]}}`,
      )
      expect([answer.status, await answer.text()]).toEqual([200, '{"chain":0,"length":2}'])
    }
    const read = await send('GET', `${run}/chains/0/draws`)
    expect(await read.text()).toBe(
      `{"start":0,"count":2,"step":1,${draws.replace('\\ud83d\\ude00', '😀')},"stats":{"lp":[0.5,"-Infinity"]}}`,
    )
  })

  test.each([
    [400, 'invalid_json', '{"start":2,"draws":{"n":[1]'],
    [422, 'dtype_mismatch', '{"start":2,"draws":{"n":[9007199254740993],"x":[[]],"__proto__":[""]}}'],
    [409, 'draw_gap', '{"start":9,"draws":{"n":[1],"x":[[]],"__proto__":[""]}}'],
    [409, 'draw_conflict', '{"start":1,"draws":{"n":[1],"x":[[]],"__proto__":[""]}}'],
    [413, 'payload_too_large', `{"start":2${' '.repeat(8 * 1024 * 1024)}}`],
  ])('%i %s', async (status, code, text) => {
    const answer = await send('POST', `${run}/chains/0/draws`, text)
    expect([answer.status, await answer.json()]).toEqual([status, expect.objectContaining({ code })])
  })

  test('the most that 8 MiB may become', async () => {
    const count = 1_000_000
    await send('PUT', `${run}-large`, '{"variables":[{"name":"x","dtype":"float64","shape":[4]}]}')
    await send('PUT', `${run}-large/chains/0`)
    const text = `{"start":0,"draws":{"x":[${'[0,0,0,0],'.repeat(count * 0.8 - 4)}[0,0,0,1]]}}`
    const answer = await send('POST', `${run}-large/chains/0/draws`, text)
    expect([answer.status, await answer.json()]).toEqual([200, { chain: 0, length: count * 0.8 - 3 }])
  })
})
