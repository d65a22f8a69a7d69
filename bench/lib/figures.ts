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

type Served = Pick<Started, 'url'>

export const connect = (server: Served, count: number) =>
  Promise.all(Array.from({ length: count }, () => Connection.open(server.url)))

export async function oneConnection(server: Served): Promise<Connection> {
  return Connection.open(server.url)
}

let runs = 0
export const newRid = () => `bench-${++runs}`

export const label = (bytes: number) =>
  bytes >= MIB ? `${Math.round(bytes / MIB)} MiB` : `${Math.round(bytes / 1024)} KiB`

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
    `append at draw ${million.toLocaleString('en')} / 1,000`,
    costLong / costShort,
    1.05,
    'ratio',
    `${us(costLong)} / ${us(costShort)}`,
  )
}

/** Reads of one turn. */
const READS = 10

async function readRatio(
  connection: Connection,
  scale: Scale,
  one: string,
  other: string,
): Promise<{ ratio: number; detail: string }> {
  const times = async (path: string) =>
    (await seconds(async () => {
      for (let i = 0; i < READS; i++) await readAll(connection, path)
    })) / READS
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

/** Draws that came in batches of one, read in turns with as many that came in batches of a thousand. */
export async function batchingFigure(server: Started, scale: Scale): Promise<Figure> {
  const connection = await oneConnection(server)
  // Fewer alone for D1, which is measured with a twentieth of the data.
  const draws = Math.max(1, Math.round(10 * Math.min(1, scale.data * 10))) * 1000
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
  return atMost(`read ${draws.toLocaleString('en')} draws: one-draw / 1,000-draw batches`, ratio, 1.1, 'ratio', detail)
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
