/** /v1/runs/{rid}/chains/{chain}/stan.csv: a chain as Stan writes it, to read, and to write while Stan does. */
import { McbError } from '../core/errors.ts'
import { encodedTexts } from '../core/formats/json.ts'
import { CSV_TYPE } from '../core/media-types.ts'
import { encodingOf, openHold } from '../http/body.ts'
import { readBodyStream } from '../http/body-stream.ts'
import type { AppContext } from '../http/context.ts'
import { digestETag, matchesETag, negotiateAmong } from '../http/negotiate.ts'
import { describe, emptyResponse, jsonResponse, stanBody, stanResponse } from '../http/openapi/describe.ts'
import { contentEncoding, ifNoneMatch, registration } from '../http/openapi/described-headers.ts'
import { stanWarmup, stanWarmupRows } from '../http/openapi/parameters.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { chainParam, ridParam } from '../http/params.ts'
import { countAdded, requireRoom } from '../http/quota.ts'
import { REGISTRATION, requireChain, withRun } from '../http/run-of-request.ts'
import { sendPieces } from '../http/send.ts'
import { type StanPart, stanChain } from '../runs/stan-chain.ts'
import { StanStream } from '../runs/stan-stream.ts'

const getStanCsv: Operation = {
  needs: 'read',
  describe: describe('Draws', 'getStanCsv', 'A chain as a CSV file of CmdStan', {
    description:
      'For rstan, cmdstanr, CmdStanPy and ArviZ. Sampler stats have the names that Stan has for them; strings, shapes that vary and ' +
      'other stats are left out, and a comment names them.',
    parameters: [stanWarmup, registration, ifNoneMatch],
    responses: { 200: stanResponse, 304: emptyResponse('Unchanged', 'ETag') },
    errors: ['invalid_parameter', 'run_not_found', 'chain_not_found', 'not_acceptable', 'run_replaced'],
  }),
  handler: getCsv,
}

async function getCsv(c: AppContext, { bounds }: Services): Promise<Response> {
  const rid = ridParam(c)
  const chain = chainParam(c)
  const warmup = warmupChoice(c)
  const find = async (run: Parameters<typeof requireChain>[0]) => ({
    run,
    state: (await requireChain(run, chain)).state,
    // Step size, metric and times stand in the file.
    about: await run.aboutETag(),
  })
  const { run, state, about } = await withRun(c, rid, { resource: find }, find)
  negotiateAmong([CSV_TYPE], c.req.header('Accept'))
  const etag = await digestETag(['stan.csv', about, chain, state.length, warmup])
  if (matchesETag(c, etag)) return c.body(null, 304, { ETag: etag })
  const headers = { ETag: etag, 'Content-Type': `${CSV_TYPE}; charset=utf-8` }
  if (c.req.method === 'HEAD') return c.body(null, 200, headers)
  return sendPieces(c, encodedTexts(stanChain(c.get('backend'), run, { state, warmup })), headers, bounds.stallMs)
}

function warmupChoice(c: AppContext): StanPart['warmup'] {
  const choice = once(c, 'warmup') ?? 'include'
  if (choice === 'include' || choice === 'exclude') return choice
  throw new McbError('invalid_parameter', '"warmup" must be include or exclude')
}

function once(c: AppContext, name: string): string | undefined {
  const [text, ...more] = c.req.queries(name) ?? []
  if (more.length === 0) return text
  throw new McbError('invalid_parameter', `"${name}" is given ${more.length + 1} times`)
}

const putStanCsv: Operation = {
  needs: 'write',
  body: 'stream',
  describe: describe('Draws', 'putStanCsv', "Store a chain from Stan's CSV file, while it is written or as a whole", {
    description:
      'The run is registered with the line of names, or must be one of the same columns and settings. Each line is durable within a ' +
      'second of its arrival. A file that is sent again is compared with what is stored, and goes on behind it. A body may be ' +
      'silent for 24 h, and has no limit but that of a line, 64 MiB.',
    parameters: [stanWarmupRows, registration, contentEncoding],
    requestBody: stanBody,
    responses: { 200: jsonResponse('All whole lines are durable', 'StreamResult') },
    errors: [
      'invalid_parameter',
      'quota_exceeded',
      'run_not_found',
      'run_conflict',
      'draw_conflict',
      'run_replaced',
      'payload_too_large',
      'invalid_run_meta',
    ],
  }),
  handler: putCsv,
}

async function putCsv(c: AppContext, services: Services): Promise<Response> {
  const rid = ridParam(c)
  const chain = chainParam(c)
  const warmup = warmupRows(c)
  const expected = c.req.header(REGISTRATION)
  if (expected !== undefined) await withRun(c, rid, {}, async (run) => run.aboutETag())
  const encoding = encodingOf(c)
  const { bodies, quotas, requireSpace } = services
  const hold = openHold(c, bodies, 0)
  const stream = new StanStream(
    c.get('backend'),
    { rid, chain, warmup, registration: expected },
    {
      admit: async (added) => {
        requireSpace()
        await requireRoom(c, quotas, added, async () => false)
      },
      added: (added) => countAdded(c, quotas, added),
      hold: (bytes) => hold.take(bytes),
    },
  )
  await readBodyStream(c, services, { encoding, hold }, stream)
  return c.json(await stream.end())
}

/** Rows at the beginning that are warmup, for files that do not tell it. */
function warmupRows(c: AppContext): number | undefined {
  const text = once(c, 'warmup')
  if (text === undefined || /^(0|[1-9]\d{0,14})$/.test(text)) return text === undefined ? undefined : Number(text)
  throw new McbError('invalid_parameter', '"warmup" must be a number of rows')
}

export const stanRoutes: Resources = {
  '/v1/runs/:rid/chains/:chain/stan.csv': { get: getStanCsv, put: putStanCsv },
}
