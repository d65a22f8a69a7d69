/** The list of runs while many of them are written: statements that it takes, and how far it lags behind. */
import { atMost, connect, type Figure, type Scale } from './figures.ts'
import { Body, createRun, eightSchools, Writer } from './model.ts'
import type { Started } from './server.ts'
import type { Connection } from './wire.ts'

const CONNECTIONS = 32
/** Milliseconds between two appends of a run, where the machine keeps up. */
const EVERY_MS = 1000
/** Seconds of load before anything is counted: runs find their shards, and shards become more. */
const WARM_UP = 8
const PAGE = 1000

interface Counts {
  readonly calls: number
  readonly statements: number
  readonly writes: number
  readonly d1: number
}

/** A run with one chain. Its nth draw was acknowledged at the nth of the times. */
interface RunAtWork {
  readonly rid: string
  readonly acknowledged: number[]
}

/** A load of runs that goes on until it is stopped. */
class Load {
  readonly runs: RunAtWork[] = []
  private isOver = false
  private work: Promise<unknown> = Promise.resolve()

  async start(connections: readonly Connection[], count: number): Promise<void> {
    const model = eightSchools()
    const shares = connections.map((connection, share) => ({ connection, from: share }))
    const begun = await Promise.all(
      shares.map(async ({ connection, from }) => {
        const writers: { readonly run: RunAtWork; readonly writer: Writer }[] = []
        for (let i = from; i < count; i += connections.length) {
          const run = { rid: `at-work-${i}`, acknowledged: [] }
          await createRun(connection, run.rid, model, 1)
          this.runs.push(run)
          writers.push({ run, writer: new Writer(connection, run.rid, 0, new Body(model, 1)) })
        }
        return writers
      }),
    )
    this.work = Promise.all(begun.map((writers) => this.write(writers)))
  }

  async stop(): Promise<void> {
    this.isOver = true
    await this.work
  }

  get draws(): number {
    return this.runs.reduce((n, { acknowledged }) => n + acknowledged.length, 0)
  }

  /** Appends to runs in turn, each once in EVERY_MS. */
  private async write(writers: readonly { readonly run: RunAtWork; readonly writer: Writer }[]): Promise<void> {
    for (let due = performance.now(); !this.isOver; ) {
      for (const { run, writer } of writers) {
        const early = due - performance.now()
        if (early > 1) await new Promise((resolve) => setTimeout(resolve, early))
        await writer.append()
        run.acknowledged.push(performance.now())
        due = Math.max(due + EVERY_MS / writers.length, performance.now() - EVERY_MS)
      }
    }
  }
}

/** Draws of all runs, as the list has them. */
async function listed({ url }: Started): Promise<Map<string, number>> {
  const draws = new Map<string, number>()
  let cursor: string | undefined = ''
  while (cursor !== undefined) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`
    const answer = await fetch(new URL(`/v1/runs?limit=${PAGE}${query}`, url))
    if (!answer.ok) throw new Error(`the list was answered with ${answer.status}: ${await answer.text()}`)
    const page: { runs: { rid: string; draws: number }[]; nextCursor?: string } = JSON.parse(await answer.text())
    for (const run of page.runs) draws.set(run.rid, run.draws)
    cursor = page.nextCursor
  }
  return draws
}

/** Seconds since the first draw that the list has not told was acknowledged, of the run where that is longest. */
async function largestLag(server: Started, runs: readonly RunAtWork[]): Promise<number> {
  const asked = performance.now()
  const draws = await listed(server)
  const lags = runs.map(({ rid, acknowledged }) => {
    const told = draws.get(rid)
    if (told === undefined) return Number.POSITIVE_INFINITY
    const first = acknowledged[told]
    return first === undefined ? 0 : Math.max(0, asked - first) / 1000
  })
  return Math.max(...lags)
}

const counts = async ({ url }: Started): Promise<Counts> =>
  JSON.parse(await (await fetch(new URL('/bench/counts', url))).text())
const wait = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))

/** `count` runs that are each written about once a second. */
export async function catalogueFigures(server: Started, scale: Scale, count: number): Promise<Figure[]> {
  const connections = await connect(server, CONNECTIONS)
  const load = new Load()
  await load.start(connections, count)
  await wait(WARM_UP)

  // Without a reader, whose questions are statements as well.
  const [before, draws, begun] = [await counts(server), load.draws, performance.now()]
  await wait(scale.seconds * 5)
  const after = await counts(server)
  const seconds = (performance.now() - begun) / 1000
  const perSecond = (n: number) => `${(n / seconds).toFixed(0)}/s`
  const [statements, d1] = [after.statements - before.statements, after.d1 - before.d1]
  const appends = `${perSecond(load.draws - draws)} appends`

  const lags: number[] = []
  const until = performance.now() + scale.seconds * 5000
  while (performance.now() < until) {
    lags.push(await largestLag(server, load.runs))
    await wait(0.1)
  }
  await load.stop()
  for (const connection of connections) connection.close()
  const [calls, writes] = [after.calls - before.calls, after.writes - before.writes]
  const detail = `${perSecond(statements)}, ${perSecond(writes)} of them write, in ${perSecond(calls)} calls; ${appends}`
  return [
    atMost(`${count} runs at work: statements a run in 2 s`, (statements / count / seconds) * 2, 1, '', detail),
    atMost(`${count} runs at work: statements to D1`, d1, 0, '', `in ${seconds.toFixed(0)} s`),
    atMost(`${count} runs at work: largest lag of the list`, Math.max(...lags), 2, 's', `${lags.length} lists`),
  ]
}
