/** The figures of the Worker on bare workerd: run objects, and D1 alone. */
import { connect } from 'node:net'
import { sunkFigure } from './append-figures.ts'
import { bucketReadFigure } from './bucket-figures.ts'
import { catalogueFigures } from './catalogue-figures.ts'
import { elementFigure, lastDrawFigures } from './few-figures.ts'
import {
  atLeast,
  atMost,
  batchingFigure,
  type Figure,
  fill,
  growthFigure,
  memoryFigures,
  newRid,
  oneConnection,
  oneOfManyFigure,
  readAll,
  readFigure,
  type Scale,
} from './figures.ts'
import { compare, median, rate } from './measure.ts'
import { Body, createRun, eightSchools, Writer } from './model.ts'
import { peakAbove, type Started, start } from './server.ts'

const KIB = 1024
const MIB = 1024 * KIB
const CHAINS = 4

const serve = (storage: 'objects' | 'bucket' | 'd1') =>
  start([process.execPath, 'bench/workerd/server.ts', '--storage', storage, '--data'])

/** Runs `measure` on a worker of its own, and ends that. */
async function on<T>(storage: 'objects' | 'd1', measure: (server: Started) => Promise<T>): Promise<T> {
  const server = await serve(storage)
  try {
    return await measure(server)
  } finally {
    await server.stop()
  }
}

const named = (what: string, figure: Figure): Figure => ({ ...figure, name: `${what}: ${figure.name}` })

/** Share of the data for the slower figures of D1, which have no goal: it tells enough, and so do fewer turns. */
const PART = 0.05
const TURNS = 3

const ofPart = (figure: Figure): Figure => ({
  ...figure,
  met: null,
  goal: 'report',
  detail: `${figure.detail}; with ${PART} of the data`,
})

type Measure = (scale: Scale) => Promise<Figure[]>

async function appends(storage: 'objects' | 'd1', scale: Scale, goals: readonly (readonly [number, number | null])[]) {
  const figures: Figure[] = []
  const turns = storage === 'd1' ? { ...scale, rounds: Math.min(TURNS, scale.rounds) } : scale
  const what = storage === 'objects' ? 'object' : 'D1'
  for (const [size, goal] of goals) {
    figures.push(named(what, await on(storage, (server) => sunkFigure(server, turns, size, goal))))
  }
  return figures
}

/** D1 with a part of the data. */
const partOnD1 = (measure: (server: Started, scale: Scale) => Promise<Figure | Figure[]>): Measure => {
  return async (scale) => {
    const found = await on('d1', (server) =>
      measure(server, { rounds: TURNS, seconds: scale.seconds, data: scale.data * PART }),
    )
    return [found].flat().map((figure) => named('D1', ofPart(figure)))
  }
}

/** The figures of the Worker by the names that `--only` takes. Those of D1 are reported without a goal. */
export const WORKERD_GROUPS: Readonly<Record<string, Measure>> = {
  'objects-memory': async (scale) => [named('object', await on('objects', (server) => memoryFigure(server, scale)))],
  'objects-append': (scale) =>
    appends('objects', scale, [
      [KIB, 0.6],
      [64 * KIB, 0.6],
      [MIB, 0.5],
      [8 * MIB, 0.5],
    ]),
  'objects-against-d1': async (scale) => [await againstD1(scale)],
  'objects-read': async (scale) => [named('object', await on('objects', (server) => readFigure(server, scale, 0.6)))],
  'objects-bucket-read': async (scale) => [await againstBucket(scale)],
  'objects-last': async (scale) =>
    (await on('objects', (server) => lastDrawFigures(server, scale, { 20: 15, 300: 225 }))).map((figure) =>
      named('object', figure),
    ),
  'objects-elements': async (scale) => [named('object', await on('objects', (server) => elementFigure(server, scale)))],
  'objects-events': async (scale) => [await on('objects', (server) => eventFigure(server, scale))],
  catalogue: async (scale) => {
    const figures: Figure[] = []
    for (const runs of [256, 1000]) {
      figures.push(...(await on('objects', (server) => catalogueFigures(server, scale, runs))))
    }
    return figures
  },
  'd1-append': (scale) =>
    appends('d1', scale, [
      [KIB, null],
      [64 * KIB, null],
      [MIB, null],
      [8 * MIB, null],
    ]),
  'd1-read': async (scale) => [named('D1', await on('d1', (server) => readFigure(server, scale, null)))],
  'd1-growth': partOnD1(growthFigure),
  'd1-columns': partOnD1(oneOfManyFigure),
  'd1-batching': partOnD1(batchingFigure),
  'd1-memory': partOnD1(memoryFigures),
}

/** Appends a second of four chains at once, one after the other on both storages. */
async function againstD1(scale: Scale): Promise<Figure> {
  const servers = [await serve('objects'), await serve('d1')]
  try {
    const rates = servers.map(async (server) => {
      const rid = newRid()
      const model = eightSchools()
      const writers = await Promise.all(
        Array.from({ length: CHAINS }, async (_, chain) => {
          const connection = await oneConnection(server)
          if (chain === 0) await createRun(connection, rid, model, CHAINS)
          return { connection, body: Body.ofSize(model, MIB) }
        }),
      )
      const appends = writers.map(({ connection, body }, chain) => new Writer(connection, rid, chain, body))
      return () => rate(CHAINS, scale.seconds, async (chain) => appends[chain]?.append())
    })
    const [objects, d1] = await Promise.all(rates)
    if (objects === undefined || d1 === undefined) throw new Error('two servers were to be measured')
    const [fast, slow] = await compare(scale.rounds, objects, d1)
    return atLeast('object / D1, append 1 MiB', fast / slow, 5, `${fast.toFixed(1)}/s, ${slow.toFixed(1)}/s`)
  } finally {
    for (const server of servers) await server.stop()
  }
}

async function againstBucket(scale: Scale): Promise<Figure> {
  const [bucket, objects] = [await serve('bucket'), await serve('objects')]
  try {
    return await bucketReadFigure(bucket, objects, scale)
  } finally {
    for (const server of [bucket, objects]) await server.stop()
  }
}

async function memoryFigure(server: Started, scale: Scale): Promise<Figure> {
  const connection = await oneConnection(server)
  const rid = newRid()
  const bytes = 256 * MIB * scale.data
  await fill(connection, rid, eightSchools(), bytes, MIB)
  // Garbage of the writing is collected, so that reading is measured against rest.
  await new Promise((resolve) => setTimeout(resolve, 5000))
  let length = 0
  const above = await peakAbove(server.pid, async () => {
    length = await readAll(connection, `/v1/runs/${rid}/chains/0/draws`)
  })
  connection.close()
  return atMost('memory above idle, reading 256 MiB', above, 64, 'MiB', `${(length / MIB).toFixed(0)} MiB, one client`)
}

/** From the answer of a POST until its event has arrived, in ms; negative when the event was first. */
async function eventFigure(server: Started, scale: Scale): Promise<Figure> {
  const connection = await oneConnection(server)
  const rid = newRid()
  const model = eightSchools()
  await createRun(connection, rid, model, 1)
  const arrived = new Map<number, number>()
  const socket = connect(Number(server.url.port), server.url.hostname)
  const opened = Promise.withResolvers<void>()
  socket.write(`GET /v1/runs/${rid}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  socket.on('data', (chunk) => {
    const now = performance.now()
    opened.resolve()
    for (const [, length] of String(chunk).matchAll(/"chain":0,"length":(\d+)/g)) arrived.set(Number(length), now)
  })
  await opened.promise
  const writer = new Writer(connection, rid, 0, new Body(model, 1))
  const delays: number[] = []
  for (let length = 1; length <= 100 * scale.data; length++) {
    await new Promise((resolve) => setTimeout(resolve, 120 + Math.random() * 60))
    await writer.append()
    const answered = performance.now()
    while (!arrived.has(length)) await new Promise((resolve) => setTimeout(resolve, 1))
    delays.push((arrived.get(length) ?? Number.NaN) - answered)
  }
  socket.destroy()
  connection.close()
  const worst = Math.max(...delays).toFixed(1)
  return atMost(
    'object: event after the answer, median',
    median(delays),
    50,
    'ms',
    `${delays.length} events, worst ${worst}`,
  )
}
