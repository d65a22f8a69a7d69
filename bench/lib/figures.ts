/** The figures, each against one server and as a ratio in one run. */
import { compare, rate, seconds } from './measure.ts'
import { Body, createRun, eightSchools, type Model, scalars, vector, Writer } from './model.ts'
import { peakAbove, type Started } from './server.ts'
import { Connection, expectStatus, requestHead } from './wire.ts'

const MIB = 1024 * 1024
const CHAINS = 4

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** The value that it should have: at least, or at most. */
  readonly goal: string
  readonly met: boolean | null
  readonly detail: string
}

export interface Scale {
  readonly rounds: number
  /** Length of one turn. */
  readonly seconds: number
  /** Fraction of the full amount of data. */
  readonly data: number
}

export function atLeast(name: string, value: number, goal: number | null, detail: string): Figure {
  const rounded = Number(value.toFixed(3))
  const text = goal === null ? 'report' : `>= ${goal}`
  return { name, value: rounded, unit: 'ratio', goal: text, met: goal === null ? null : value >= goal, detail }
}

export function atMost(name: string, value: number, goal: number, unit: string, detail: string): Figure {
  return { name, value: Number(value.toFixed(3)), unit, goal: `<= ${goal}`, met: value <= goal, detail }
}

const connect = (server: Started, count: number) =>
  Promise.all(Array.from({ length: count }, () => Connection.open(server.url)))

export async function oneConnection(server: Started): Promise<Connection> {
  return Connection.open(server.url)
}

let runs = 0
export const newRid = () => `bench-${++runs}`

/** Appends against the null sink, bodies of one size, `writers` of them at once, a chain each. */
export async function appendFigure(server: Started, scale: Scale, size: number, goal: number | null, writers = CHAINS) {
  const connections = await connect(server, writers)
  const model = eightSchools()
  const rid = newRid()
  const [first] = connections
  if (first === undefined) throw new Error('no connection')
  await createRun(first, rid, model, writers)
  const bodies = connections.map(() => Body.ofSize(model, size))
  const appends = connections.map((c, chain) => new Writer(c, rid, chain, bodies[chain] ?? new Body(model, 1)))
  const head = requestHead('POST', '/bench/null/none/chains/0/draws', bodies[0]?.bytes.length ?? 0)
  const sink = async (worker: number) => {
    const connection = connections[worker]
    const body = bodies[worker]
    if (connection && body) await expectStatus(connection.send(head, body.bytes), 200)
  }
  const append = async (worker: number) => appends[worker]?.append()
  const [sunk, appended] = await compare(
    scale.rounds,
    () => rate(writers, scale.seconds, sink),
    () => rate(writers, scale.seconds, append),
  )
  for (const connection of connections) connection.close()
  const name = `append ${label(size)}, ${writers} chains`
  const speed = ((appended * size) / MIB).toFixed(1)
  return atLeast(
    name,
    appended / sunk,
    goal,
    `${appended.toFixed(0)}/s (${speed} MiB/s), null sink ${sunk.toFixed(0)}/s`,
  )
}

const label = (bytes: number) => (bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / 1024} KiB`)

/** Writes a chain of about `bytes`, in bodies of `body` bytes. */
export async function fill(
  connection: Connection,
  rid: string,
  model: Model,
  bytes: number,
  body: number,
): Promise<void> {
  await createRun(connection, rid, model, 1)
  const block = Body.ofSize(model, body)
  const writer = new Writer(connection, rid, 0, block)
  for (let sent = 0; sent < bytes; sent += block.bytes.length) await writer.append()
}

export async function readAll(connection: Connection, path: string): Promise<number> {
  const { length } = await expectStatus(connection.send(requestHead('GET', path, 0)), 200)
  return length
}

export async function readFigure(server: Started, scale: Scale, goal: number | null): Promise<Figure> {
  const [connection] = await connect(server, 1)
  if (connection === undefined) throw new Error('no connection')
  const rid = newRid()
  await fill(connection, rid, eightSchools(), 64 * MIB * scale.data, MIB)
  const path = `/v1/runs/${rid}/chains/0/draws`
  const bytes = await readAll(connection, path)
  const [constant, read] = await compare(
    scale.rounds,
    () => seconds(async () => void (await readAll(connection, `/bench/constant?bytes=${bytes}`))),
    () => seconds(async () => void (await readAll(connection, path))),
  )
  connection.close()
  const speed = (s: number) => `${(bytes / MIB / s).toFixed(0)} MiB/s`
  return atLeast(
    `read ${label(64 * MIB)} chain`,
    constant / read,
    goal,
    `${speed(read)}, constant source ${speed(constant)}`,
  )
}

/** The cost of an append to a chain of a million draws against one to a chain of a thousand. */
export async function growthFigure(server: Started, scale: Scale): Promise<Figure> {
  const [connection] = await connect(server, 1)
  if (connection === undefined) throw new Error('no connection')
  const model = eightSchools()
  const million = Math.round(1000 * scale.data) * 1000
  const writerAt = async (length: number) => {
    const rid = newRid()
    await createRun(connection, rid, model, 1)
    const filler = new Writer(connection, rid, 0, new Body(model, 1000))
    for (let draws = 0; draws < length; draws += 1000) await filler.append()
    return new Writer(connection, rid, 0, new Body(model, 10), length)
  }
  const long = await writerAt(million)
  const short = await writerAt(1000)
  const [costLong, costShort] = await compare(
    scale.rounds,
    async () => 1 / (await rate(1, scale.seconds, () => long.append())),
    async () => 1 / (await rate(1, scale.seconds, () => short.append())),
  )
  connection.close()
  const us = (s: number) => `${(s * 1e6).toFixed(0)} us`
  return atMost(
    'append at draw 1,000,000 / 1,000',
    costLong / costShort,
    1.05,
    'ratio',
    `${us(costLong)} / ${us(costShort)}`,
  )
}

async function readRatio(
  connection: Connection,
  scale: Scale,
  one: string,
  other: string,
): Promise<{ ratio: number; detail: string }> {
  const times = async (path: string) =>
    (await seconds(async () => {
      for (let i = 0; i < 5; i++) await readAll(connection, path)
    })) / 5
  const [a, b] = await compare(
    scale.rounds,
    () => times(one),
    () => times(other),
  )
  return { ratio: a / b, detail: `${(a * 1e3).toFixed(2)} ms / ${(b * 1e3).toFixed(2)} ms` }
}

export async function oneOfManyFigure(server: Started, scale: Scale): Promise<Figure> {
  const [connection] = await connect(server, 1)
  if (connection === undefined) throw new Error('no connection')
  const draws = Math.max(1, Math.round(100 * scale.data)) * 1000
  const many = newRid()
  const alone = newRid()
  await fill(connection, many, scalars(300), draws * 300 * 8, MIB)
  await fill(connection, alone, vector(1), draws * 8, MIB)
  const stop = draws
  const { ratio, detail } = await readRatio(
    connection,
    scale,
    `/v1/runs/${many}/chains/0/draws?var=x150&stop=${stop}`,
    `/v1/runs/${alone}/chains/0/draws?stop=${stop}`,
  )
  connection.close()
  return atMost('read 1 of 300 variables / alone', ratio, 1.5, 'ratio', detail)
}

export async function batchingFigure(server: Started, scale: Scale): Promise<Figure> {
  const connections = await connect(server, 1)
  const [connection] = connections
  if (connection === undefined) throw new Error('no connection')
  const draws = Math.max(1, Math.round(100 * scale.data)) * 1000
  const model = eightSchools()
  const paths: string[] = []
  for (const size of [1, 1000]) {
    const rid = newRid()
    await createRun(connection, rid, model, 1)
    const writer = new Writer(connection, rid, 0, new Body(model, size))
    for (let sent = 0; sent < draws; sent += size) await writer.append()
    paths.push(`/v1/runs/${rid}/chains/0/draws`)
  }
  const { ratio, detail } = await readRatio(connection, scale, paths[0] ?? '', paths[1] ?? '')
  connection.close()
  return atMost('read 100,000 draws: one-draw / 1,000-draw batches', ratio, 1.5, 'ratio', detail)
}

export async function memoryFigures(server: Started, scale: Scale): Promise<Figure[]> {
  const connections = await connect(server, CHAINS)
  const [first] = connections
  if (first === undefined) throw new Error('no connection')
  const model = eightSchools()
  const rid = newRid()
  const total = 1024 * MIB * scale.data
  await createRun(first, rid, model, CHAINS)
  const ingest = await peakAbove(server.pid, async () => {
    await Promise.all(
      connections.map(async (connection, chain) => {
        const body = Body.ofSize(model, 8 * MIB)
        const writer = new Writer(connection, rid, chain, body)
        for (let sent = 0; sent < total / CHAINS; sent += body.bytes.length) await writer.append()
      }),
    )
  })
  const read = await peakAbove(server.pid, async () => {
    for (let chain = 0; chain < CHAINS; chain++) await readAll(first, `/v1/runs/${rid}/chains/${chain}/draws`)
  })
  for (const connection of connections) connection.close()
  return [
    atMost('memory above idle, ingesting 1 GiB in 8 MiB bodies', ingest, 96, 'MiB', `${CHAINS} chains at once`),
    atMost('memory above idle, one client reading 1 GiB', read, 96, 'MiB', `${CHAINS} chains, one after the other`),
  ]
}
