/** Runs and chains through the client. */
import { describe, expect, it } from 'vitest'
import { encodeNdArray, HttpBackend } from '../../src/client/index.ts'
import { startApp, URL_OF_APP } from './server.ts'

const META = {
  variables: [{ name: 'theta', dtype: 'float64', shape: [2], dims: ['school'] }],
  coordinates: [{ name: 'school', values: encodeNdArray({ dtype: 'str', shape: [2], data: ['Choate', 'Åsa'] }) }],
  sampleStats: [{ name: 'lp', dtype: 'float64' }],
  attributes: { seed: { kind: 'numberValue' as const, numberValue: 7 } },
  data: [
    {
      name: 'y',
      value: encodeNdArray({ dtype: 'float64', shape: [2], data: new Float64Array([28, 8]) }),
      dims: ['school'],
      isObserved: true,
    },
    { name: 'n', value: encodeNdArray({ dtype: 'int64', shape: [], data: new BigInt64Array([2n]) }) },
  ],
}

function clients() {
  const server = startApp()
  const client = () => new HttpBackend({ url: `${URL_OF_APP}/`, fetch: server.fetch })
  return { server, writer: client(), reader: client() }
}

describe('runs', () => {
  it('describes a run alike where it was registered and where it is read', async () => {
    const { writer, reader } = clients()
    const registered = await writer.initRun({ rid: 'a.b~c', ...META })
    const found = await reader.getRun('a.b~c')
    for (const run of [registered, found]) {
      expect(run?.rid).toBe('a.b~c')
      expect(run?.registration).toBe(registered.registration)
      expect(run?.meta.rid).toBe('a.b~c')
      expect([...(run?.schema.draws.keys() ?? [])]).toEqual(['theta'])
      expect(run?.coords.get('school')).toMatchObject({ data: ['Choate', 'Åsa'] })
      expect(run?.dims).toEqual(
        new Map([
          ['theta', ['school']],
          ['y', ['school']],
        ]),
      )
      expect(run?.observedData.get('y')).toMatchObject({ data: new Float64Array([28, 8]) })
      expect(run?.constantData.get('n')).toMatchObject({ shape: [], data: new BigInt64Array([2n]) })
      expect(run?.meta.attributes?.seed).toMatchObject({ numberValue: 7 })
    }
    expect(registered.isNew).toBe(true)
    expect(found?.isNew).toBe(false)
  })

  it('opens an equal run, and refuses another one of its name', async () => {
    const { writer, reader } = clients()
    const first = await writer.initRun({ rid: 'r', ...META })
    const second = await reader.initRun({ rid: 'r', ...META })
    expect(second.isNew).toBe(false)
    expect(second.registration).toBe(first.registration)
    const other = { ...META, sampleStats: [] }
    await expect(reader.initRun({ rid: 'r', ...other })).rejects.toMatchObject({ code: 'run_conflict' })
  })

  it('makes an id where there is none', async () => {
    const { writer } = clients()
    const runs = [await writer.initRun(META), await writer.initRun({ rid: '', ...META })]
    for (const run of runs) expect(run).toMatchObject({ isNew: true, rid: expect.stringMatching(/^[0-9a-f]{32}$/) })
    expect(runs[0]?.rid).not.toBe(runs[1]?.rid)
  })

  it.each(['.', '..', 'a/b', 'ü', 'x'.repeat(129)])('has no run of the id %j', async (rid) => {
    const { writer } = clients()
    expect(await writer.getRun(rid)).toBeUndefined()
    expect(await writer.deleteRun(rid)).toBe(false)
    await expect(writer.initRun({ rid, ...META })).rejects.toMatchObject({ code: 'invalid_parameter' })
  })

  it('lists runs page by page, with their sums', async () => {
    const { writer } = clients()
    for (const rid of ['a', 'b', 'c']) await writer.initRun({ rid, ...META })
    const run = await writer.getRun('b')
    const chain = await run?.initChain(3)
    await chain?.append({ theta: new Float64Array(2) })
    await chain?.close()
    const first = await writer.listRuns({ limit: 2 })
    expect(first.runs.map(({ rid }) => rid)).toEqual(['c', 'b'])
    expect(first.runs[1]).toMatchObject({ variables: 1, sampleStats: 1, chains: 1, draws: 1 })
    expect(Math.abs(Number(first.runs[1]?.updatedAt) - Date.now())).toBeLessThan(60_000)
    const { nextCursor = '' } = first
    const second = await writer.listRuns({ limit: 2, cursor: nextCursor })
    expect(second.runs.map(({ rid }) => rid)).toEqual(['a'])
    expect(second).not.toHaveProperty('nextCursor')
    await expect(writer.listRuns({ limit: 0 })).rejects.toMatchObject({ code: 'invalid_parameter' })
  })

  it('deletes a run', async () => {
    const { writer, reader } = clients()
    const run = await writer.initRun({ rid: 'r', ...META })
    const chain = await run.initChain(0)
    expect(await reader.deleteRun('r')).toBe(true)
    expect(await reader.deleteRun('r')).toBe(false)
    expect(await writer.getRun('r')).toBeUndefined()
    await expect(chain.length()).rejects.toMatchObject({ code: 'run_not_found' })
    await expect(run.initChain(1)).rejects.toMatchObject({ code: 'run_not_found' })
    const again = await reader.initRun({ rid: 'r', ...META })
    await again.initChain(0)
    for (const call of [run.initChain(0), run.getChain(0), run.getChains(), chain.length(), chain.getDraws('theta')]) {
      await expect(call).rejects.toMatchObject({ code: 'run_replaced' })
    }
  })
})

describe('chains', () => {
  it('creates, opens and lists them', async () => {
    const { writer, reader } = clients()
    const run = await writer.initRun({ rid: 'r', ...META })
    expect(await run.getChain(2)).toBeUndefined()
    const chain = await run.initChain(2)
    expect(chain).toMatchObject({ rid: 'r', number: 2, isNew: true })
    expect(await run.initChain(2)).toMatchObject({ isNew: false })
    await expect(run.initChain(2, { exclusive: true })).rejects.toMatchObject({ code: 'chain_exists' })
    expect(await run.initChain(0, { exclusive: true })).toMatchObject({ isNew: true })
    await chain.append({ theta: new Float64Array(2) })
    await chain.flush()
    const chains = await (await reader.getRun('r'))?.getChains()
    expect(chains?.map(({ number }) => number)).toEqual([0, 2])
    expect(await chains?.[1]?.length()).toBe(1)
  })

  it.each([-1, 1.5, Number.NaN, 2 ** 31])('has no chain %d', async (number) => {
    const { writer } = clients()
    const run = await writer.initRun({ rid: 'r', ...META })
    await expect(run.initChain(number)).rejects.toMatchObject({ code: 'invalid_parameter' })
    await expect(run.getChain(number)).rejects.toMatchObject({ code: 'invalid_parameter' })
  })
})
