/** Promises of `stan.csv` (docs/protocol.md §11), on any server. */
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HttpBackend } from '../../src/client/index.ts'
import { madeFile, NAMES, ROWS } from '../core/stan/files.ts'
import { jsonOf } from '../http/api.ts'

export interface StanServer {
  readonly url: string
  readonly fetch: (request: Request) => Promise<Response>
  close?(): Promise<void>
}

export interface StanSubject {
  readonly name: string
  open(): Promise<StanServer>
}

const encoder = new TextEncoder()

type Sent = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | Blob
type Headed = Readonly<Record<string, string>>

export function stan({ name, open }: StanSubject): void {
  describe(`stan.csv on ${name}`, () => {
    let server: StanServer
    let runs = 0

    beforeAll(async () => {
      server = await open()
    })
    afterAll(async () => server.close?.())

    const backend = () => new HttpBackend({ url: server.url, fetch: server.fetch })
    const newRid = () => `stan-${++runs}`
    const pathOf = (rid: string, chain = 0) => `${server.url}/v1/runs/${rid}/chains/${chain}/stan.csv`
    const send = (rid: string, body: Sent, more: { chain?: number; query?: string; headers?: Headed } = {}) =>
      server.fetch(
        new Request(`${pathOf(rid, more.chain)}${more.query ?? ''}`, {
          method: 'PUT',
          body,
          ...(more.headers && { headers: more.headers }),
          duplex: 'half',
        }),
      )
    const read = async (rid: string, query = '') => {
      const answer = await server.fetch(new Request(pathOf(rid) + query))
      expect(answer.status).toBe(200)
      return answer.text()
    }
    const drawsOf = async (rid: string, chain = 0) => {
      const found = await (await backend().getRun(rid))?.getChain(chain)
      if (found === undefined) return []
      const theta = await found.getDraws('theta')
      return 'shape' in theta ? [...theta.data] : []
    }

    /** Waits for a length of chain 0. */
    const lengthOf = async (rid: string, length: number) => {
      const began = performance.now()
      for (;;) {
        const lengths = await jsonOf(await server.fetch(new Request(`${server.url}/v1/runs/${rid}/chains`)))
        if (JSON.stringify(lengths).includes(`"length":${length},`)) return
        expect(performance.now() - began, 'the line is late').toBeLessThan(10_000)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }

    /** A body that is sent piece by piece. */
    const typed = () => {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
      const writer = writable.getWriter()
      return {
        readable,
        type: (text: string) => writer.write(encoder.encode(text)),
        end: () => writer.close(),
        breakOff: () => writer.abort(new Error('the line is dead')),
      }
    }

    test('a file becomes a run, with dtypes, warmup, attributes and facts', async () => {
      const rid = newRid()
      const answer = await send(rid, madeFile())
      expect([answer.status, await jsonOf(answer)]).toEqual([200, { chain: 0, length: 3, complete: true }])
      const run = await backend().getRun(rid)
      const specs = [...(run?.schema.columns ?? [])].map(({ name, dtype, shape }) => [name, dtype, shape])
      expect(specs).toEqual([
        ['mu', 'float64', []],
        ['theta', 'float64', [2]],
        ['lp__', 'float64', []],
        ['stepsize__', 'float64', []],
        ['treedepth__', 'int64', []],
        ['divergent__', 'bool', []],
        ['tune', 'bool', []],
      ])
      const { attributes, facts } = (await run?.about()) ?? { attributes: {}, facts: {} }
      expect(attributes).toEqual({
        inference_library: 'stan',
        method: 'sample',
        model: 'm_model',
        num_samples: '3',
        num_warmup: '2',
      })
      expect(facts).toMatchObject({
        expected: { draws: 3, warmup: 0 },
        chains: { 0: { stepSize: 0.5, inverseMetric: [1.5, 2], samplingTime: 0.3, warmupTime: 0.1 } },
      })
      const chain = await run?.getChain(0)
      expect(await chain?.getStats('treedepth__')).toMatchObject({ data: BigInt64Array.from([3n, 2n, 1n]) })
      expect(await chain?.getStats('divergent__')).toMatchObject({ data: Uint8Array.from([0, 1, 0]) })
      expect(await chain?.getStats('tune')).toMatchObject({ data: Uint8Array.from([0, 0, 0]) })
      expect(await drawsOf(rid)).toEqual([-1e-3, 2, Number.POSITIVE_INFINITY, -0, 5e-324, 3])
    })

    test('what is read is a file again, with the same draws', async () => {
      const rid = newRid()
      await send(rid, madeFile())
      const text = await read(rid)
      expect(text.split('\n').filter((line) => !line.startsWith('#') && line !== '')).toEqual([
        NAMES,
        '-7.5,0.5,3,0,1.25,-0.001,2',
        '-7.25,0.5,2,1,nan,inf,-0',
        '-7,0.5,1,0,1e+308,5e-324,3',
      ])
      const again = newRid()
      expect((await send(again, text)).status).toBe(200)
      expect(await drawsOf(again)).toEqual(await drawsOf(rid))
      const chains = async (of: string) => (await (await backend().getRun(of))?.about())?.facts.chains
      expect(await chains(again)).toMatchObject({ 0: { stepSize: 0.5, inverseMetric: [1.5, 2], samplingTime: 0.3 } })
    })

    test('ETag, 304 and HEAD', async () => {
      const rid = newRid()
      await send(rid, madeFile())
      const get = (method: string, headers: Headed = {}) => server.fetch(new Request(pathOf(rid), { method, headers }))
      const head = await get('HEAD')
      expect([head.status, await head.text(), head.headers.get('Content-Length')]).toEqual([200, '', null])
      const etag = head.headers.get('ETag') ?? ''
      const full = await get('GET')
      expect(full.headers.get('ETag')?.replace(/^W\//, '')).toBe(etag)
      await full.body?.cancel()
      expect((await get('GET', { 'If-None-Match': etag })).status).toBe(304)
      expect((await get('GET', { Accept: 'application/json' })).status).toBe(406)
    })

    test('lines are visible within a second, while the body goes on', async () => {
      const rid = newRid()
      const body = typed()
      const answer = send(rid, body.readable)
      const [head = '', tail = ''] = madeFile({ isTimed: false }).split(`${ROWS[0]}\n`)
      await body.type(`${head}${ROWS[0]}\n${tail.slice(0, 9)}`)
      await lengthOf(rid, 1)
      await body.type(tail.slice(9))
      await body.end()
      expect(await jsonOf(await answer)).toEqual({ chain: 0, length: 3, complete: false })
    })

    test('a body that breaks off leaves whole lines, and comes again from its beginning', async () => {
      const rid = newRid()
      const body = typed()
      const answer = send(rid, body.readable).catch(() => undefined)
      const whole = madeFile()
      const cut = whole.indexOf(ROWS[2] ?? '') + 4
      await body.type(whole.slice(0, cut))
      await lengthOf(rid, 2)
      await body.breakOff().catch(() => undefined)
      expect((await answer)?.status ?? 400).toBe(400)
      expect(await drawsOf(rid)).toHaveLength(4)
      expect(await jsonOf(await send(rid, whole))).toEqual({ chain: 0, length: 3, complete: true })
      expect(await jsonOf(await send(rid, whole))).toEqual({ chain: 0, length: 3, complete: true })
    })

    test('other draws are a conflict', async () => {
      const rid = newRid()
      await send(rid, madeFile())
      const rows = [ROWS[0] ?? '', '-7.25,0.5,2,1,0,0,0', ROWS[2] ?? '']
      const answer = await send(rid, madeFile({ rows }))
      expect([answer.status, await jsonOf(answer)]).toEqual([
        409,
        expect.objectContaining({ code: 'draw_conflict', length: 3 }),
      ])
      expect(await drawsOf(rid)).toHaveLength(6)
    })

    test('four files at once register one run; a fifth of another model is none of it', async () => {
      const rid = newRid()
      const answers = await Promise.all([0, 1, 2, 3].map((chain) => send(rid, madeFile(), { chain })))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      for (const chain of [0, 1, 2, 3]) expect(await drawsOf(rid, chain)).toHaveLength(6)
      const chains = (await (await backend().getRun(rid))?.about())?.facts.chains
      expect(Object.keys(chains ?? {}).sort()).toEqual(['0', '1', '2', '3'])
      for (const other of [
        madeFile({ names: NAMES.replace('mu', 'nu') }),
        madeFile({ settings: ['method = sample', 'num_samples = 3', 'model = n_model'] }),
      ]) {
        const answer = await send(rid, other, { chain: 4 })
        expect([answer.status, await jsonOf(answer)]).toEqual([409, expect.objectContaining({ code: 'run_conflict' })])
      }
      expect(await drawsOf(rid, 4)).toEqual([])
    })

    test('a line that makes no sense is named, and those before it stay', async () => {
      const rid = newRid()
      const answer = await send(rid, madeFile({ rows: [...ROWS.slice(0, 2), '1,2,three'] }))
      expect([answer.status, await jsonOf(answer)]).toEqual([
        400,
        expect.objectContaining({ code: 'invalid_parameter', detail: expect.stringMatching(/^line 13: /) }),
      ])
      expect(await drawsOf(rid)).toHaveLength(4)
    })

    test('gzip, and what is none', async () => {
      const rid = newRid()
      const headers = { 'Content-Encoding': 'gzip' }
      const packed = new Uint8Array(gzipSync(madeFile()))
      expect(await jsonOf(await send(rid, packed, { headers }))).toEqual({ chain: 0, length: 3, complete: true })
      for (const bytes of [packed.subarray(0, 60), encoder.encode(madeFile()), new Uint8Array([...packed, 0, 1])]) {
        expect((await send(rid, bytes, { headers })).status).toBe(400)
      }
      expect((await send(rid, packed, { headers: { 'Content-Encoding': 'br' } })).status).toBe(415)
    })

    test('tables that tell nothing of warmup', async () => {
      const rid = newRid()
      const table = 'theta.1,theta.2\n1,2\n3,4\n'
      expect((await send(rid, table)).status).toBe(400)
      expect(await jsonOf(await send(rid, table, { query: '?warmup=1' }))).toMatchObject({ length: 2 })
      const chain = await (await backend().getRun(rid))?.getChain(0)
      expect(await chain?.getStats('tune')).toMatchObject({ data: Uint8Array.from([1, 0]) })
      expect(await read(rid)).toMatch(/num_samples = 1\n.*num_warmup = 1\n.*save_warmup = 1\n/s)
      expect(await read(rid, '?warmup=exclude')).toMatch(
        /save_warmup = 0\n(.*\n)+lp__,theta.1,theta.2\n(#.*\n)+0,3,4\n#/,
      )
      for (const query of ['?warmup=-1', '?warmup=1&warmup=1'])
        expect((await send(rid, table, { query })).status).toBe(400)
    })

    test('whatever comes, it is never a defect', async () => {
      const piece = fc.oneof(
        fc.uint8Array({ maxLength: 40 }).map((bytes) => new Uint8Array(bytes)),
        fc
          .constantFrom(
            '\n',
            ',',
            '# method = sample\n# num_samples = 2\n',
            `${NAMES}\n`,
            ...ROWS,
            '# Elapsed Time: \n',
            '"',
            '=',
          )
          .map((text) => encoder.encode(text)),
      )
      await fc.assert(
        fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
          const answer = await send(newRid(), new Blob(pieces))
          await answer.text()
          expect([200, 400, 409, 413, 422]).toContain(answer.status)
        }),
        { numRuns: 40 },
      )
    })
  })
}
