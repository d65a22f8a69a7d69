/** `npm run bench:metrics`: the cost of figures to an append, as servers that make them and servers that do not take turns. */
import { loadavg } from 'node:os'
import { resolve } from 'node:path'
import { benchCommand } from './lib/command.ts'
import { atLeast, type Figure, newRid } from './lib/figures.ts'
import { median, rate } from './lib/measure.ts'
import { Body, createRun, eightSchools, Writer } from './lib/model.ts'
import { cpuMs, type Started, start } from './lib/server.ts'
import { Connection } from './lib/wire.ts'

const HELP = `usage: npm run bench:metrics -- [--json] [--quick]

  --json   one JSON object on standard output; progress goes to standard error
  --quick  fewer and shorter turns

Two servers as \`npm start\` starts them, one with MCB_METRICS=off; the other's /metrics is read each second. First the most
appends a second that the one without figures takes of four writers; then both in turns at half of that, each append at its
time, and at full load. A ratio is the median over 10 pairs of turns of the speeds, with figures by without: above 1 the
figures would make it faster. Use an idle machine.`

const CHAINS = 4
const BYTES = 1024
const { scale, report, say, finish } = benchCommand(HELP)
const pairs = scale.data < 1 ? 3 : 10

const serve = (metrics: 'on' | 'off') =>
  start([process.execPath, 'src/node.ts'], (folder) => ({
    PORT: '0',
    MCB_LOG: 'quiet',
    MCB_METRICS: metrics,
    MCB_MIN_FREE_MIB: '0',
    MCB_DATA_DIR: resolve(folder),
  }))

/** A server with its writers, and what its appends have cost. */
class Side {
  readonly server: Started
  private readonly writers: readonly Writer[]
  private appends = 0
  private cpu = 0

  private constructor(server: Started, writers: readonly Writer[]) {
    this.server = server
    this.writers = writers
  }

  static async open(server: Started): Promise<Side> {
    const model = eightSchools()
    const rid = newRid()
    const connections = await Promise.all(Array.from({ length: CHAINS }, () => Connection.open(server.url)))
    const [first] = connections
    if (first === undefined) throw new Error('no connection')
    await createRun(first, rid, model, CHAINS)
    return new Side(
      server,
      connections.map((connection, chain) => new Writer(connection, rid, chain, Body.ofSize(model, BYTES))),
    )
  }

  /** Appends a second when every writer sends as soon as it has its answer. */
  full(): Promise<number> {
    return rate(CHAINS, scale.seconds, async (worker) => this.writers[worker]?.append())
  }

  /** Appends of one connection a second by their median time, with `perSecond` of them started each second. */
  async paced(perSecond: number): Promise<number> {
    const times: number[] = []
    const interval = (1000 * CHAINS) / perSecond
    const begun = performance.now()
    const end = begun + scale.seconds * 1000
    const before = cpuMs(this.server.pid)
    await Promise.all(
      this.writers.map(async (writer, at) => {
        for (let due = begun + (interval * at) / CHAINS; due < end; due += interval) {
          const early = due - performance.now()
          if (early > 0) await new Promise((done) => setTimeout(done, early))
          const sent = performance.now()
          await writer.append()
          times.push(performance.now() - sent)
        }
      }),
    )
    this.cpu += cpuMs(this.server.pid) - before
    this.appends += times.length
    return 1000 / median(times)
  }

  /** Microseconds of processor time of a paced append. */
  get cpuEach(): string {
    return ((this.cpu * 1000) / this.appends).toFixed(0)
  }
}

interface Compared {
  readonly ratio: number
  readonly on: number
  readonly off: number
}

/** Medians over pairs of turns, of which the first does not count; the order changes from pair to pair. */
async function inTurns(turn: (side: Side) => Promise<number>): Promise<Compared> {
  const speeds: { on: number; off: number }[] = []
  for (let pair = 0; pair <= pairs; pair++) {
    const speed = { on: 0, off: 0 }
    for (const kind of pair % 2 === 0 ? (['on', 'off'] as const) : (['off', 'on'] as const)) {
      speed[kind] = await turn(sides[kind])
    }
    if (pair > 0) speeds.push(speed)
  }
  return {
    ratio: median(speeds.map(({ on, off }) => on / off)),
    on: median(speeds.map(({ on }) => on)),
    off: median(speeds.map(({ off }) => off)),
  }
}

async function halfFigure(): Promise<Figure> {
  const speeds: number[] = []
  for (let turn = 0; turn < 3; turn++) {
    // Both, so that both have run as much before they are compared.
    await sides.on.full()
    speeds.push(await sides.off.full())
  }
  const most = median(speeds)
  const half = Math.round(most / 2)
  const { ratio, on, off } = await inTurns((side) => side.paced(half))
  const micros = (speed: number) => (1_000_000 / speed).toFixed(0)
  const cpu = `server CPU ${sides.on.cpuEach} / ${sides.off.cpuEach} us`
  return atLeast(
    'append 1 KiB at half load: /metrics on / off',
    ratio,
    0.95,
    `${half}/s of at most ${most.toFixed(0)}/s; median ${micros(on)} / ${micros(off)} us; ${cpu}`,
  )
}

async function fullFigure(): Promise<Figure> {
  const { ratio, on, off } = await inTurns((side) => side.full())
  const detail = `${on.toFixed(0)}/s / ${off.toFixed(0)}/s`
  return atLeast('append 1 KiB at full load: /metrics on / off', ratio, null, detail)
}

const sides = { on: await Side.open(await serve('on')), off: await Side.open(await serve('off')) }
const scraping = setInterval(() => {
  void fetch(new URL('/metrics', sides.on.server.url)).then((answer) => answer.arrayBuffer())
}, 1000)
try {
  say(`load average before: ${loadavg().map((load) => load.toFixed(1))}`)
  report(await halfFigure())
  report(await fullFigure())
} finally {
  clearInterval(scraping)
  for (const { server } of Object.values(sides)) await server.stop()
}
finish()
