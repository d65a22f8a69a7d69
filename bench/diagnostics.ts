/** `npm run bench:diagnostics`: figures of draws against ArviZ's, over HTTP, and beside appends. */
import { availableParallelism, loadavg } from 'node:os'
import { resolve } from 'node:path'
import { essBulk, essMean, essTail } from '../src/core/diagnostics/ess.ts'
import { computeFigures, type Figure as FigureName, figureOf, type Plan } from '../src/core/diagnostics/figures.ts'
import { rhat } from '../src/core/diagnostics/rhat.ts'
import { Scalar, Workspace } from '../src/core/diagnostics/scalar.ts'
import { ScalarBlock } from '../src/core/diagnostics/scalar-block.ts'
import { COLUMNS } from '../src/core/diagnostics/summary-columns.ts'
import { DEFAULT_COLUMNS, DEFAULT_INTERVAL } from '../src/core/summary/question.ts'
import { ThreadBench } from '../src/node/diagnostics-thread/bench.ts'
import { Tally } from '../src/node/tally.ts'
import { ArviZ, type DrawsTask } from './lib/arviz.ts'
import { benchCommand } from './lib/command.ts'
import { atLeast, atMost, type Figure, newRid } from './lib/figures.ts'
import { compare, median, pairedRatio, rate } from './lib/measure.ts'
import { Body, createRun, vector, Writer } from './lib/model.ts'
import { residentMiB, type Started, start } from './lib/server.ts'
import { Connection } from './lib/wire.ts'

const HELP = `usage: npm run bench:diagnostics -- [--json] [--quick] [--only arviz|threads|http|load]

  --json   one JSON object on standard output; progress goes to standard error
  --quick  a tenth of the scalars, fewer and shorter turns
  --only   arviz    CPU time of R-hat, ESS and summaries against arviz-stats in turns (MCB_ARVIZ_PYTHON: a Python that has it)
           threads  the same summaries in several threads
           http     a summary of a stored run over HTTP, not compressed, against the computation alone
           load     appends at half load beside 20 clients that ask for summaries of the growing wide run

Use an idle machine.`

const { scale, only, report, say, finish } = benchCommand(HELP)
const wanted = (name: string) => only === undefined || only.includes(name)
const isQuick = scale.data < 1
const WIDE = isQuick ? 1000 : 10_000

/** Autoregressive draws with a coefficient of one half, scalar after scalar. */
function ar1({ chains, draws, scalars }: DrawsTask): ScalarBlock {
  const block = new ScalarBlock({ elements: scalars, chains, draws })
  const { values } = block
  let state = 12_345
  const uniform = () => {
    state = (state * 16_807) % 2_147_483_647
    return state / 2_147_483_647
  }
  for (let i = 0; i < values.length; i++) {
    const noise = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
    values[i] = (i % draws === 0 ? 0 : 0.5 * (values[i - 1] ?? 0)) + noise
  }
  return block
}

/** The columns of ArviZ's default summary. */
const ARVIZ_COLUMNS = COLUMNS.filter((column) => !['median', 'mad', 'pareto_khat'].includes(column))
const planOf = (columns: readonly (typeof COLUMNS)[number][]): Plan => ({
  convention: 'arviz',
  figures: columns.map((column): FigureName => figureOf(column, DEFAULT_INTERVAL)),
})

async function cpuSeconds(work: () => void | Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

function summariseAll(block: ScalarBlock, plan: Plan): void {
  const steps = computeFigures(block, plan)
  while (!steps.next().done);
}

function fourOfAll(block: ScalarBlock): void {
  const { elements, chains, draws } = block.shape
  const workspace = new Workspace(chains, draws)
  for (let element = 0; element < elements; element++) {
    const scalar = new Scalar(workspace, block.scalar(element), 'arviz')
    for (const statistic of [rhat, essBulk, essMean]) statistic(scalar)
    essTail(scalar)
  }
}

async function arvizFigures(): Promise<void> {
  const arviz = new ArviZ()
  const measure = async (name: string, goal: number, what: 'four' | 'summary', task: DrawsTask) => {
    await arviz.draws(task)
    const block = ar1(task)
    const plan = planOf(ARVIZ_COLUMNS)
    // Few scalars are computed so often that a turn takes some time.
    const times = Math.max(1, Math.round(4_000_000 / block.values.length))
    const work = () => {
      for (let i = 0; i < times; i++) what === 'four' ? fourOfAll(block) : summariseAll(block, plan)
    }
    const rounds = task.scalars > 1000 ? 1 : scale.rounds
    const [theirs, ours] = await compare(
      rounds,
      () => arviz.cpu(what),
      async () => (await cpuSeconds(work)) / times,
    )
    const each = (seconds: number) => `${((1000 * seconds) / task.scalars).toFixed(3)} ms`
    report(atLeast(`ArviZ / ours: ${name}`, theirs / ours, goal, `${each(theirs)} / ${each(ours)} a scalar`))
  }
  const shape = { chains: 4, draws: 1000 }
  await measure('R-hat and three ESS, 4 x 1,000', 6, 'four', { ...shape, scalars: 50 })
  await measure('summary of 100 scalars', 6, 'summary', { ...shape, scalars: 100 })
  await measure(`summary of ${WIDE} scalars`, 6, 'summary', { ...shape, scalars: WIDE })
  await measure('summary of 4 x 100,000', 5, 'summary', { chains: 4, draws: 100_000, scalars: 2 })
  arviz.close()
}

/** Seconds of a summary in as many threads as there are benches. */
async function threadSeconds(benches: readonly ThreadBench[], block: ScalarBlock, plan: Plan): Promise<number> {
  const { elements, chains, draws } = block.shape
  const each = Math.ceil(elements / benches.length)
  const works = benches.map((bench, i) => {
    const from = Math.min(elements, i * each)
    const count = Math.min(elements, from + each) - from
    const work = bench.begin({ elements: count, chains, draws })
    return { work, count, from }
  })
  for (const { work, count, from } of works) {
    for (let chain = 0; chain < chains; chain++) {
      const bytes = new Float64Array(count * draws)
      for (let element = 0; element < count; element++) {
        const scalar = block.scalar(from + element)
        for (let draw = 0; draw < draws; draw++) bytes[draw * count + element] = scalar[chain * draws + draw] ?? 0
      }
      work.put({ chain, first: 0, from: 0, elements: count }, new Uint8Array(bytes.buffer), 'float64')
    }
  }
  const begun = performance.now()
  await Promise.all(works.map(({ work }) => work.figures(plan)))
  return (performance.now() - begun) / 1000
}

async function threadFigures(): Promise<void> {
  const block = ar1({ chains: 4, draws: 1000, scalars: WIDE })
  const plan = planOf(ARVIZ_COLUMNS)
  const four = Array.from({ length: 4 }, () => new ThreadBench(new Tally()))
  const [one, many] = await compare(
    scale.rounds,
    () => threadSeconds(four.slice(0, 1), block, plan),
    () => threadSeconds(four, block, plan),
  )
  for (const bench of four) await bench.close()
  const detail = `${WIDE} scalars: ${one.toFixed(2)} s / ${many.toFixed(2)} s on ${availableParallelism()} cores`
  report(atLeast('summary in one thread / in four', one / many, null, detail))
}

const serve = () =>
  start([process.execPath, 'src/node.ts'], (folder) => ({
    PORT: '0',
    MCB_LOG: 'quiet',
    MCB_MIN_FREE_MIB: '0',
    MCB_DATA_DIR: resolve(folder),
  }))

/** Appends draws of a wide variable to four chains. */
async function fill(server: Started, rid: string, scalars: number, draws: number): Promise<Writer[]> {
  const model = vector(scalars)
  const connections = await Promise.all(Array.from({ length: 4 }, () => Connection.open(server.url)))
  const [first] = connections
  if (first === undefined) throw new Error('no connection')
  await createRun(first, rid, model, 4)
  const count = 50
  for (const [chain, connection] of connections.entries()) {
    const writer = new Writer(connection, rid, chain, new Body(model, count, chain + 1))
    for (let done = 0; done < draws; done += count) await writer.append()
  }
  return connections.map(
    (connection, chain) => new Writer(connection, rid, chain, new Body(model, 1, 100 + chain), draws),
  )
}

async function summaryOf(server: Started, rid: string, query = '', wait = 60): Promise<string> {
  const answer = await fetch(new URL(`/v1/runs/${rid}/summary${query}`, server.url), {
    // Compression is the connection's matter, and takes 15 ms for an answer of 100 scalars.
    headers: { Prefer: `wait=${wait}`, 'Accept-Encoding': 'identity' },
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`the summary was answered with ${answer.status}: ${text.slice(0, 300)}`)
  return text
}

async function httpFigure(server: Started, scalars: number): Promise<Figure> {
  const rid = newRid()
  const writers = await fill(server, rid, scalars, 1000)
  const block = ar1({ chains: 4, draws: 1000, scalars })
  const plan = planOf(DEFAULT_COLUMNS)
  const [asked, alone] = await compare(
    scalars > 1000 ? 3 : 9,
    async () => {
      // Two draws more are another moment, of which nothing is known. The server would rest for appends that have just ended.
      for (const writer of writers) for (let i = 0; i < 2; i++) await writer.append()
      await new Promise((done) => setTimeout(done, 2500))
      const begun = performance.now()
      const text = await summaryOf(server, rid, '?limit=10000')
      if (!text.includes('"complete":true')) throw new Error('the summary is not complete')
      return (performance.now() - begun) / 1000
    },
    async () => {
      const begun = performance.now()
      summariseAll(block, { ...plan, convention: 'posterior' })
      return (performance.now() - begun) / 1000
    },
  )
  return atMost(
    `summary of ${scalars} stored scalars / computing it`,
    asked / alone,
    1.3,
    'ratio',
    `${asked.toFixed(2)} s / ${alone.toFixed(2)} s`,
  )
}

const CLIENTS = 20

/** The rate of appends to a wide run at half load, with clients that ask for its summary by without. */
async function loadFigures(server: Started): Promise<Figure[]> {
  const scalars = isQuick ? 1008 : 10_008
  const seconds = 3
  const fresh = async () => {
    const rid = newRid()
    return { rid, writers: await fill(server, rid, scalars, 100) }
  }
  const most = await (async () => {
    const { writers } = await fresh()
    return rate(4, seconds, async (worker) => writers[worker]?.append())
  })()
  let peak = 0
  let answers = 0
  const latencies = { with: [] as number[], without: [] as number[] }
  const turn = async (kind: 'with' | 'without') => {
    const { rid, writers } = await fresh()
    let isOver = false
    const clients = Array.from({ length: kind === 'with' ? CLIENTS : 0 }, async () => {
      while (!isOver) {
        await summaryOf(server, rid, '?sort=-rhat&limit=50', 1)
        answers++
      }
    })
    const interval = (1000 * writers.length * 2) / most
    const begun = performance.now()
    const end = begun + seconds * 1000
    let appends = 0
    await Promise.all(
      writers.map(async (writer, at) => {
        for (let due = begun + (interval * at) / writers.length; due < end; due += interval) {
          const early = due - performance.now()
          if (early > 0) await new Promise((done) => setTimeout(done, early))
          const sent = performance.now()
          await writer.append()
          latencies[kind].push(performance.now() - sent)
          appends++
        }
      }),
    )
    const taken = (performance.now() - begun) / 1000
    isOver = true
    peak = Math.max(peak, residentMiB(server.pid))
    await Promise.all(clients)
    return appends / taken
  }
  const pairs = isQuick ? 3 : 10
  const ratio = await pairedRatio(
    pairs,
    () => turn('with'),
    () => turn('without'),
  )
  const times = `median ${median(latencies.with).toFixed(1)} ms / ${median(latencies.without).toFixed(1)} ms`
  const load = `${(most / 2).toFixed(0)}/s of at most ${most.toFixed(0)}/s, ${answers} summaries; ${times}`
  return [
    atLeast(`appends of ${scalars} scalars: ${CLIENTS} clients / none`, ratio, 0.95, load),
    atMost('memory of the server meanwhile', peak, 1024, 'MiB', 'resident, at its peak'),
  ]
}

say(`load average before: ${loadavg().map((load) => load.toFixed(1))}`)
if (wanted('arviz')) await arvizFigures()
if (wanted('threads')) await threadFigures()
for (const [name, measure] of [
  ['http', async (server: Started) => [await httpFigure(server, 100), await httpFigure(server, WIDE)]],
  ['load', loadFigures],
] as const) {
  if (!wanted(name)) continue
  const server = await serve()
  try {
    report(await measure(server))
  } finally {
    await server.stop()
  }
}
finish()
