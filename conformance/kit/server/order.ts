/** The order of checks (docs/protocol.md §2): of two things wrong with a request, the first one is told. */
import { describe, expect, test } from 'vitest'
import {
  type Api,
  drawBatch,
  expectProblem,
  iterations,
  jsonOf,
  META,
  runMeta,
  withDraws,
} from '../../../test/http/api.ts'
import { SharedPlace, type Subject } from './subject.ts'

const LENGTH = 10
/** Defects that only a server of small limits sees in small requests. */
const OF_SIZE = ['size', 'answer']

/** An unknown field that makes any body too large. */
const PADDING = new Uint8Array([0x7a, 0xf0, 0x2e, ...new Uint8Array(6000)])

type Wrong = (what: string) => boolean
interface Defect {
  readonly name: string
  readonly status: number
  readonly code: string
}
interface Operation {
  /** In the order in which they must be told. */
  readonly defects: readonly Defect[]
  send(api: Api, wrong: Wrong): Promise<Response>
}

const defect = (name: string, status: number, code: string): Defect => ({ name, status, code })

function body(message: Uint8Array, wrong: Wrong): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...message, ...(wrong('size') ? PADDING : []), ...(wrong('wire') ? [0x80] : [])])
}

function headers(wrong: Wrong, more: Record<string, string> = {}): Record<string, string> {
  return {
    'Content-Type': wrong('type') ? 'text/plain' : 'application/x-protobuf',
    ...(wrong('registration') && { 'Mcb-Registration': 'another' }),
    ...(wrong('accept') && { Accept: 'text/html' }),
    ...more,
  }
}

/** Defects of an append, whatever its body's type. */
const OF_APPENDS: readonly Defect[] = [
  defect('chain number', 400, 'invalid_parameter'),
  defect('run', 404, 'run_not_found'),
  defect('chain', 404, 'chain_not_found'),
  defect('registration', 412, 'run_replaced'),
  defect('type', 415, 'unsupported_media_type'),
  defect('size', 413, 'payload_too_large'),
]

function pathOfAppends(wrong: Wrong): string {
  const chain = wrong('chain number') ? '01' : wrong('chain') ? '5' : '0'
  return `/v1/runs/${wrong('run') ? 'none' : 'r'}/chains/${chain}/draws`
}

const OPERATIONS: { readonly [name: string]: Operation } = {
  'POST draws': {
    defects: [
      ...OF_APPENDS,
      defect('wire', 400, 'invalid_protobuf'),
      defect('dtype', 422, 'dtype_mismatch'),
      defect('start', 409, 'draw_gap'),
    ],
    send(api, wrong) {
      const batch = iterations(LENGTH + (wrong('start') ? 1 : 0), 1)
      const x = { name: 'x', dtype: wrong('dtype') ? 'int64' : 'float64', data: new Uint8Array(8) }
      const message = drawBatch({ ...batch, draws: [x, ...(batch.draws ?? []).slice(1)] })
      return api.request('POST', pathOfAppends(wrong), { body: body(message, wrong), headers: headers(wrong) })
    },
  },
  'POST draws as JSON': {
    defects: [
      ...OF_APPENDS,
      defect('text', 400, 'invalid_json'),
      defect('step', 400, 'invalid_parameter'),
      defect('dtype', 422, 'dtype_mismatch'),
      defect('start', 409, 'draw_gap'),
    ],
    send(api, wrong) {
      const draws = { x: [wrong('dtype') ? '1' : 1], k: [[2]], s: ['a'] }
      const batch = { draws, start: LENGTH + (wrong('start') ? 1 : 0), step: wrong('step') ? 2 : 1 }
      const text = `${JSON.stringify(batch)}${wrong('text') ? ',' : ''}${wrong('size') ? ' '.repeat(6000) : ''}`
      return api.request('POST', pathOfAppends(wrong), {
        body: new TextEncoder().encode(text),
        headers: headers(wrong, wrong('type') ? {} : { 'Content-Type': 'application/json; charset=utf-8' }),
      })
    },
  },
  'GET draws': {
    defects: [
      defect('slice', 400, 'invalid_slice'),
      defect('run', 404, 'run_not_found'),
      defect('chain', 404, 'chain_not_found'),
      defect('variable', 404, 'unknown_variable'),
      defect('registration', 412, 'run_replaced'),
      defect('accept', 406, 'not_acceptable'),
      defect('answer', 413, 'payload_too_large'),
    ],
    send(api, wrong) {
      const query = `${wrong('slice') ? 'step=0&' : ''}var=${wrong('variable') ? 'y' : 'x'}${wrong('answer') ? '' : '&stop=1'}`
      const path = `/v1/runs/${wrong('run') ? 'none' : 'r'}/chains/${wrong('chain') ? 5 : 0}/draws?${query}`
      return api.get(path, headers(wrong))
    },
  },
  'PUT run': {
    defects: [
      defect('rid', 400, 'invalid_parameter'),
      defect('type', 415, 'unsupported_media_type'),
      defect('size', 413, 'payload_too_large'),
      defect('wire', 400, 'invalid_protobuf'),
      defect('dtype', 422, 'unsupported_dtype'),
      defect('other', 409, 'run_conflict'),
    ],
    send(api, wrong) {
      const more = wrong('other') ? [{ name: 'more', dtype: 'int8' }] : []
      const bad = wrong('dtype') ? [{ name: 'bad', dtype: 'complex64' }] : []
      const message = runMeta({ ...META, rid: '', variables: [...(META.variables ?? []), ...more, ...bad] })
      return api.request('PUT', `/v1/runs/${wrong('rid') ? 'a%20b' : 'r'}`, {
        body: body(message, wrong),
        headers: headers(wrong),
      })
    },
  },
  'POST runs': {
    defects: [
      defect('accept', 406, 'not_acceptable'),
      defect('type', 415, 'unsupported_media_type'),
      defect('size', 413, 'payload_too_large'),
      defect('wire', 400, 'invalid_protobuf'),
      defect('dtype', 422, 'unsupported_dtype'),
    ],
    send(api, wrong) {
      const message = runMeta({ variables: [{ name: 'x', dtype: wrong('dtype') ? 'object' : 'int8' }] })
      return api.request('POST', '/v1/runs', { body: body(message, wrong), headers: headers(wrong) })
    },
  },
  'PUT chain': {
    defects: [
      defect('chain number', 400, 'invalid_parameter'),
      defect('run', 404, 'run_not_found'),
      defect('registration', 412, 'run_replaced'),
    ],
    send(api, wrong) {
      const path = `/v1/runs/${wrong('run') ? 'none' : 'r'}/chains/${wrong('chain number') ? 'x' : 0}`
      return api.request('PUT', path, { headers: headers(wrong) })
    },
  },
  'GET run': {
    defects: [
      defect('rid', 400, 'invalid_parameter'),
      defect('run', 404, 'run_not_found'),
      defect('registration', 412, 'run_replaced'),
      defect('accept', 406, 'not_acceptable'),
    ],
    send(api, wrong) {
      return api.get(`/v1/runs/${wrong('rid') ? 'a%20b' : wrong('run') ? 'none' : 'r'}`, headers(wrong))
    },
  },
}

/**
 * Declares the tests of the order.
 *
 * @param hasLimits the server has the limits of test/http/order.test.ts: bodies of 5,000 bytes, answers of 60
 */
export function order(server: Subject, { hasLimits }: { readonly hasLimits: boolean }): void {
  describe.each(Object.entries(OPERATIONS))('%s', (_name, { defects, send }) => {
    const known = defects.filter(({ name }) => hasLimits || !OF_SIZE.includes(name))
    const pairs = known.flatMap((first, i) => known.slice(i).map((second) => [first, second] as const))
    // A run that is missing has no chains and no variables that could be missing too; a malformed id names none.
    const together = pairs.filter(([first, second]) => !(first.name === 'rid' && second.name === 'run'))

    const place = new SharedPlace(server, async (api) => {
      await withDraws(api, LENGTH)
      return jsonOf(await api.get('/v1/runs/r/chains/0'))
    })

    test.each(together.map(([first, second]) => [first.name, second.name, first, second] as const))(
      '%s before %s',
      (_first, _second, first, second) =>
        place.use(async (api, before) => {
          const response = await send(api, (what) => what === first.name || what === second.name)
          await expectProblem(response, first.status, first.code)
          expect(await jsonOf(await api.get('/v1/runs/r/chains/0'))).toEqual(before)
        }),
    )

    test('nothing wrong is no error', async () => {
      const api = await server.open()
      await withDraws(api, LENGTH)
      expect((await send(api, () => false)).ok).toBe(true)
    })
  })
}
