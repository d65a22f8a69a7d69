/** Drivers with a bug each, which the kit must catch: it is tested with them. */
import { parseArgs } from 'node:util'
import type { Fetch, HttpChain } from '../../src/client/index.ts'
import { bytesOf } from '../../src/core/draws/dtype.ts'
import { type NdArray, numericArray, sizeOf } from '../../src/core/draws/ndarray.ts'
import { mcbackend } from '../../src/core/generated/messages.js'
import { type Command, serve, TypescriptDriver } from '../drivers/typescript.ts'
import { isRecord } from './protocol.ts'
import { arrayToWire, drawsFromWire, drawsToWire, isList, type WireDraws } from './wire.ts'

const DRAWS = /\/chains\/(\d+)\/draws$/

/** Sends a request, and again after a failure at another index: at the length that the chain has by then. */
const renumbering: Fetch = async (request) => {
  const again = request.clone()
  const answer = await fetch(request).catch(() => undefined)
  const { pathname } = new URL(request.url)
  if (request.method !== 'POST' || !DRAWS.test(pathname) || answer?.ok) return answer ?? Response.error()
  if (answer !== undefined && answer.status < 500) return answer
  const batch = mcbackend.DrawBatch.decode(new Uint8Array(await again.arrayBuffer()))
  const chain: unknown = await (await fetch(request.url.replace(/\/draws$/, ''), { headers: request.headers })).json()
  batch.start = isRecord(chain) ? Number(chain.length) : 0
  const body = new Uint8Array(mcbackend.DrawBatch.encode(batch).finish())
  return fetch(request.url, { method: 'POST', headers: request.headers, body })
}

/** Takes any answer of 200 to an append for an acknowledgement. */
const credulous: Fetch = async (request) => {
  const sent = new Uint8Array(await request.clone().arrayBuffer())
  const answer = await fetch(request)
  const chain = DRAWS.exec(new URL(request.url).pathname)?.[1]
  if (chain === undefined || request.method !== 'POST' || answer.status !== 200) return answer
  const { start, count } = mcbackend.DrawBatch.decode(sent)
  return Response.json({ chain: Number(chain), length: Number(start) + count })
}

type Direction = 'to Fortran' | 'from Fortran'

/** Place of an element in Fortran order, by its place in C order. */
function fortranPlace(shape: readonly number[], place: number): number {
  let [rest, found] = [place, 0]
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1
    found = found * size + (rest % size)
    rest = Math.floor(rest / size)
  }
  return found
}

/** An array with the elements of each draw in the other order; `skip` dimensions in front are those of draws. */
function reordered(array: NdArray, skip: number, direction: Direction): NdArray {
  const shape = array.shape.slice(skip)
  const size = sizeOf(shape)
  const places = Array.from({ length: array.data.length }, (_, i) => {
    const draw = i - (i % size)
    return draw + fortranPlace(direction === 'from Fortran' ? shape : shape.toReversed(), i % size)
  })
  if (array.dtype === 'str') return { ...array, data: places.map((place) => array.data[place] ?? '') }
  const { BYTES_PER_ELEMENT: width } = array.data
  const bytes = bytesOf(array.data)
  const taken = places.map((place) => bytes.subarray(place * width, (place + 1) * width))
  return numericArray(array.dtype, array.shape, new Uint8Array(Buffer.concat(taken)))
}

function reorderedDraws(given: unknown, skip: number, direction: Direction): WireDraws {
  const draws = drawsFromWire(given)
  if (isList(draws)) return { list: draws.map((array) => arrayToWire(reordered(array, 0, direction))) }
  return drawsToWire(reordered(draws, skip, direction))
}

function reorderedColumns(given: unknown, skip: number, direction: Direction): Record<string, WireDraws> {
  const columns = isRecord(given) ? Object.entries(given) : []
  return Object.fromEntries(columns.map(([name, draws]) => [name, reorderedDraws(draws, skip, direction)]))
}

/** Takes draws for arrays in Fortran order, in both directions, so that a round trip looks right. */
class FortranDriver extends TypescriptDriver {
  protected override async ofChain(chain: HttpChain, command: Command): Promise<unknown> {
    const { op, draws, stats = {} } = command
    if (op === 'append' || op === 'appendBatch') {
      const skip = op === 'append' ? 0 : 1
      const written = {
        draws: reorderedColumns(draws, skip, 'to Fortran'),
        stats: reorderedColumns(stats, skip, 'to Fortran'),
      }
      return super.ofChain(chain, { ...command, ...written })
    }
    const read = await super.ofChain(chain, command)
    if (op === 'getDraws' || op === 'getStats') return reorderedDraws(read, 1, 'from Fortran')
    if (op === 'getDrawsAt' || op === 'getStatsAt') return reorderedColumns(read, 0, 'from Fortran')
    return read
  }
}

/** A client whose batches go to the end of the chain, as its driver says. */
class EndDriver extends TypescriptDriver {
  override async answer(command: Command): Promise<unknown> {
    const found = await super.answer(command)
    if (command.op !== 'hello' || !isRecord(found)) return found
    return { ...found, lacks: { start: 'batches go to the end of the chain' } }
  }
}

/** A client of which the driver says that it has nothing. */
class EmptyDriver extends TypescriptDriver {
  override async answer(command: Command): Promise<unknown> {
    const found = await super.answer(command)
    if (command.op !== 'hello' || !isRecord(found)) return found
    const ops = ['getRun', 'writing', 'describe', 'listRuns', 'deleteRun', 'initRun']
    return { ...found, lacks: Object.fromEntries(ops.map((op) => [op, 'nothing is there'])) }
  }
}

const BUGS: Readonly<Record<string, readonly [what: string, make: () => TypescriptDriver]>> = {
  renumber: ['after a failure, asks for the length again and appends there', () => new TypescriptDriver(renumbering)],
  end: ['the same, at the end of the chain, which is where its batches go', () => new EndDriver(renumbering)],
  empty: ['lacks everything, as its driver says', () => new EmptyDriver()],
  fortran: ['writes and reads arrays in Fortran order', () => new FortranDriver()],
  page: ["takes a proxy's page of 200 for an acknowledgement", () => new TypescriptDriver(credulous)],
}

const HELP = `usage: npm run conform -- --driver 'node conformance/kit/planted.ts --bug BUG'

A driver of the TypeScript client with a bug that the kit must find:

${Object.entries(BUGS)
  .map(([name, [what]]) => `  ${name.padEnd(10)} ${what}`)
  .join('\n')}`

async function main(): Promise<number> {
  const options = { bug: { type: 'string', default: '' }, help: { type: 'boolean', default: false } } as const
  const { bug, help } = parseArgs({ options }).values
  const make = BUGS[bug]?.[1]
  if (help || make === undefined) {
    console[help ? 'log' : 'error'](help ? HELP : `there is no bug "${bug}"\n${HELP}`)
    return help ? 0 : 2
  }
  await serve(make())
  return 0
}

process.exitCode = await main()
