/** One chain, written by a client of its own, which knows what was acknowledged; and what must be there afterwards. */
import { HttpBackend, type HttpChain } from '../../src/client/index.ts'
import type { Draws, RunSummary } from '../../src/core/interfaces.ts'

/**
 * Sizes of draws and of bursts, by turns for the runs: small bodies alone, large ones (320 KiB) alone, and one after the other in a
 * chain. Storage on Node keeps small ones in the journal until they are folded, and puts large ones into objects.
 */
const KINDS = [
  { width: 4, bursts: [20], patience: 1 },
  { width: 2048, bursts: [20], patience: 10 },
  { width: 2048, bursts: [1, 12, 3, 20, 7], patience: 4 },
] as const

function kindOf(run: number): (typeof KINDS)[number] {
  return KINDS[run % KINDS.length] ?? KINDS[0]
}

function variablesOf(run: number) {
  return [
    { name: 'index', dtype: 'int64' },
    { name: 'theta', dtype: 'float64', shape: [kindOf(run).width] },
    { name: 'word', dtype: 'str' },
  ]
}

/** Draw `i` of a chain: each value tells its draw, its chain and its run. */
function drawOf(run: number, chain: number, i: number) {
  const at = run * 1e9 + chain * 1e6 + i
  const theta = new Float64Array(kindOf(run).width)
  for (let j = 0; j < theta.length; j++) theta[j] = at / (j + 1)
  return { index: BigInt(at), theta, word: `${run}/${chain}/${i}` }
}

export function ridOf(run: number): string {
  return `kill-${run}`
}

export class Writer {
  /** Draws that the server has acknowledged. */
  acknowledged = 0
  private readonly run: number
  private readonly number: number
  private readonly client: HttpBackend
  private chain: HttpChain | undefined

  constructor(url: string, run: number, number: number) {
    this.run = run
    this.number = number
    this.client = clientOf(url)
  }

  /** Appends a burst of draws, waits for the acknowledgement, pauses, and so on until told to stop. */
  async write(pauseMs: number, isOver: () => boolean): Promise<void> {
    const { bursts, patience } = kindOf(this.run)
    const run = await this.client.initRun({ rid: ridOf(this.run), variables: variablesOf(this.run) })
    this.chain = await run.initChain(this.number)
    for (let [i, turn] = [0, 0]; !isOver(); turn++) {
      const burst = bursts[turn % bursts.length] ?? bursts[0]
      for (const end = i + burst; i < end; i++) await this.chain.append(drawOf(this.run, this.number, i))
      await this.chain.flush()
      this.acknowledged = i
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 2 * pauseMs * patience))
    }
    await this.chain.close()
  }

  isOf(run: number): boolean {
    return this.run === run
  }

  /** Compares the chain, seen by a client that knows nothing, with the acknowledged draws; gives the fault, if any. */
  async fault(url: string): Promise<string | undefined> {
    const name = `chain ${this.number} of run ${ridOf(this.run)}`
    const chain = await (await clientOf(url).getRun(ridOf(this.run)))?.getChain(this.number)
    if (chain === undefined) return this.acknowledged === 0 ? undefined : `${name} is gone`
    const length = await chain.length()
    if (length !== this.acknowledged) return `${name} has ${length} draws, ${this.acknowledged} were acknowledged`
    if (length === 0) return undefined
    const columns: Record<string, Draws> = {}
    for (const { name: variable } of variablesOf(this.run)) columns[variable] = await chain.getDraws(variable)
    for (let i = 0; i < length; i++) {
      const expected = drawOf(this.run, this.number, i)
      for (const [variable, value] of Object.entries(expected)) {
        const found = at(columns[variable], i)
        if (!isSame(found, value)) return `${name} holds ${variable} = ${found} at ${i} instead of ${value}`
      }
    }
    return undefined
  }
}

/** Draw `i` of a column of fixed shape. */
function at(draws: Draws | undefined, i: number) {
  if (draws === undefined || !('data' in draws)) throw new Error('the column is not of a fixed shape')
  const each = draws.shape.slice(1).reduce((n, d) => n * d, 1)
  return draws.data.slice(i * each, (i + 1) * each)
}

/** True where the elements of a draw are those that were sent. */
function isSame(found: ReturnType<typeof at>, sent: bigint | string | Float64Array): boolean {
  if (typeof sent !== 'object') return found.length === 1 && found[0] === sent
  return found.length === sent.length && sent.every((element, j) => element === found[j])
}

export function clientOf(url: string): HttpBackend {
  return new HttpBackend({
    url,
    flush: { count: 25, interval: 20 },
    retry: { base: 50, cap: 500, limit: 120_000, timeout: 20_000 },
  })
}

/** Faults of the list of runs, compared with the runs of the writers; empty when it agrees. */
export async function listFaults(url: string, writers: readonly Writer[], runs: number): Promise<string[]> {
  const lines = new Map<string, RunSummary>()
  const client = clientOf(url)
  for (let cursor: string | undefined; ; ) {
    const page = await client.listRuns({ limit: 1000, ...(cursor !== undefined && { cursor }) })
    for (const line of page.runs) lines.set(line.rid, line)
    cursor = page.nextCursor
    if (cursor === undefined) break
  }
  const faults: string[] = []
  for (let run = 0; run < runs; run++) {
    const own = writers.filter((writer) => writer.isOf(run))
    const draws = own.reduce((n, { acknowledged }) => n + acknowledged, 0)
    const line = lines.get(ridOf(run))
    if (line === undefined) faults.push(`run ${ridOf(run)} is not listed`)
    else if (line.chains !== own.length || line.draws !== draws) {
      faults.push(`run ${ridOf(run)} is listed with ${line.chains} chains and ${line.draws} draws instead of ${draws}`)
    }
  }
  return faults
}
