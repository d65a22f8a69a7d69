/** The driver of this project's TypeScript client, for `npm run conform`. */

import { pathToFileURL } from 'node:url'
import {
  type Fetch,
  HttpBackend,
  type HttpChain,
  type HttpRun,
  isMcbError,
  type NdArray,
  type RunQuery,
} from '../../src/client/index.ts'
import { decodeRunMeta, encodeRunMeta } from '../../src/core/wire/run-meta.ts'
import { VERSION } from '../../src/version.ts'
import { linesOf } from '../kit/lines.ts'
import { arraysFromWire, arrayToWire, drawsFromWire, drawsToWire, type WireDraws } from '../kit/wire.ts'

/** A command of the kit. Its `op` tells the members that it has; the client checks their values. */
export interface Command {
  readonly id: number
  readonly op: string
  readonly meta: string
  readonly rid: string
  readonly run: number
  readonly chain: number
  readonly number: number
  readonly exclusive?: boolean
  readonly start?: number | string
  readonly stop?: string
  readonly step?: string
  readonly count: number
  readonly index: number
  readonly name: string
  readonly names?: readonly string[]
  readonly limit?: number
  readonly cursor?: string
  readonly q?: string
  readonly tag?: readonly string[]
  readonly draws: Readonly<Record<string, WireDraws>>
  readonly stats?: Readonly<Record<string, WireDraws>>
}

/** A variable of the environment in milliseconds; the client's own default without it. */
function milliseconds<K extends string>(key: K, name: string): { readonly [P in K]?: number } {
  const value = process.env[name]
  const found: { [P in K]?: number } = {}
  if (value) found[key] = Number(value)
  return found
}

function newBackend(fetch: Fetch | undefined): HttpBackend {
  const { MCB_URL: url = 'http://127.0.0.1:8787', MCB_TOKEN: token } = process.env
  const retry = {
    ...milliseconds('base', 'MCB_RETRY_BASE_MS'),
    ...milliseconds('cap', 'MCB_RETRY_CAP_MS'),
    ...milliseconds('limit', 'MCB_RETRY_LIMIT_MS'),
  }
  return new HttpBackend({ url, retry, ...(token && { token }), ...(fetch && { fetch }) })
}

/** A client behind the commands. */
export class TypescriptDriver {
  private readonly backend: HttpBackend
  private readonly runs: HttpRun[] = []
  private readonly chains: HttpChain[] = []

  /** `fetch` stands in for the platform's. */
  constructor(fetch?: Fetch) {
    this.backend = newBackend(fetch)
  }

  /** The result of a command. */
  async answer(command: Command): Promise<unknown> {
    const { op } = command
    switch (op) {
      case 'hello':
        return { protocol: 1, client: 'mcbackend-edge', version: VERSION, language: 'TypeScript', lacks: {} }
      case 'initRun':
        return this.keepRun(
          await this.backend.initRun(decodeRunMeta(new Uint8Array(Buffer.from(command.meta, 'base64')))),
        )
      case 'getRun':
        return this.keepRun(await this.backend.getRun(command.rid))
      case 'listRuns':
        return this.backend.listRuns(queryOf(command))
      case 'deleteRun':
        return this.backend.deleteRun(command.rid)
      case 'describe':
      case 'initChain':
      case 'getChain':
      case 'getChains':
        return this.ofRun(this.run(command.run), command)
      default:
        return this.ofChain(this.chain(command.chain), command)
    }
  }

  private async ofRun(run: HttpRun, { op, number, exclusive = false }: Command): Promise<unknown> {
    switch (op) {
      case 'describe':
        return {
          coords: arraysToWire(run.coords),
          dims: Object.fromEntries(run.dims),
          constantData: arraysToWire(run.constantData),
          observedData: arraysToWire(run.observedData),
        }
      case 'initChain':
        return this.keepChain(await run.initChain(number, { exclusive }))
      case 'getChain':
        return this.keepChain(await run.getChain(number))
      default:
        return (await run.getChains()).map((chain) => this.keepChain(chain))
    }
  }

  protected async ofChain(chain: HttpChain, command: Command): Promise<unknown> {
    const { op, name, index, names, count, draws, stats = {} } = command
    switch (op) {
      case 'append':
        return chain.append(arraysFromWire(draws), arraysFromWire(stats))
      case 'appendBatch': {
        const start = command.start === undefined ? {} : { start: Number(command.start) }
        return chain.appendBatch({ ...start, count, draws: columnsFromWire(draws), stats: columnsFromWire(stats) })
      }
      case 'flush':
        return chain.flush()
      case 'length':
        return chain.length()
      case 'getDraws':
        return drawsToWire(await chain.getDraws(name, sliceOf(command)))
      case 'getStats':
        return drawsToWire(await chain.getStats(name, sliceOf(command)))
      case 'getDrawsAt':
        return arraysToWire(await chain.getDrawsAt(index, names))
      case 'getStatsAt':
        return arraysToWire(await chain.getStatsAt(index, names))
      default:
        throw new NotImplemented(`there is no command ${op}`)
    }
  }

  private keepRun(run: HttpRun | undefined): unknown {
    if (run === undefined) return null
    const { registration, isNew } = run
    const meta = Buffer.from(encodeRunMeta(run.meta)).toString('base64')
    return { run: this.runs.push(run) - 1, meta, registration, isNew }
  }

  private keepChain(chain: HttpChain | undefined): unknown {
    if (chain === undefined) return null
    const { number, isNew } = chain
    return { chain: this.chains.push(chain) - 1, number, isNew }
  }

  private run(handle: number): HttpRun {
    const run = this.runs[handle]
    if (run !== undefined) return run
    throw new RangeError(`there is no run ${handle}`)
  }

  private chain(handle: number): HttpChain {
    const chain = this.chains[handle]
    if (chain !== undefined) return chain
    throw new RangeError(`there is no chain ${handle}`)
  }
}

class NotImplemented extends Error {}

function arraysToWire(arrays: ReadonlyMap<string, NdArray>) {
  return Object.fromEntries([...arrays].map(([name, array]) => [name, arrayToWire(array)]))
}

function columnsFromWire(columns: Readonly<Record<string, WireDraws>>) {
  return new Map(Object.entries(columns).map(([name, draws]) => [name, drawsFromWire(draws)]))
}

function sliceOf({ start, stop, step }: Command) {
  const bound = (given: number | string | undefined) => (given === undefined ? undefined : BigInt(given))
  return { start: bound(start), stop: bound(stop), step: bound(step) }
}

function queryOf({ limit, cursor, q, tag }: Command): RunQuery {
  return { limit, cursor, ...(q !== undefined && { q }), ...(tag !== undefined && { tag }) }
}

function failureOf(error: unknown): object {
  if (isMcbError(error)) {
    const { code, message, fields } = error
    return { code, detail: message, ...(fields.length !== undefined && { length: fields.length }) }
  }
  const code = error instanceof NotImplemented ? 'not_implemented' : 'driver'
  return { code, detail: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

/** Answers commands from standard input, each as it is done, until it ends. */
export async function serve(driver: TypescriptDriver): Promise<void> {
  for await (const line of linesOf(process.stdin)) {
    const command: Command = JSON.parse(line)
    const answer = await driver.answer(command).then(
      (ok) => ({ ok: ok ?? null }),
      (error: unknown) => ({ error: failureOf(error) }),
    )
    process.stdout.write(`${JSON.stringify({ id: command.id, ...answer })}\n`)
  }
}

const HELP = `usage: npm run conform -- --driver 'node conformance/drivers/typescript.ts'

The driver of the TypeScript client: commands as lines of JSON on standard input, an answer a line on standard output
(conformance/drivers/README.md). MCB_URL is the address of the server, MCB_TOKEN the key for it.`

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (process.argv.includes('--help')) console.log(HELP)
  else await serve(new TypescriptDriver())
}
