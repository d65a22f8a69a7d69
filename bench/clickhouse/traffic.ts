/** Ingest and reads through the API, against what the engine does with the same RowBinary bytes. */
import { INSERT_CHUNKS } from '../../src/backends/clickhouse/chunk.ts'
import type { Connection as Database } from '../../src/backends/clickhouse/connection.ts'
import { atLeast, type Figure, newRid, type Scale } from '../lib/figures.ts'
import { compare, rate, seconds } from '../lib/measure.ts'
import { Body, createRun, eightSchools, vector, Writer } from '../lib/model.ts'
import type { Started } from '../lib/server.ts'
import { Connection, expectStatus, requestHead } from '../lib/wire.ts'
import { oneBlock, rowsOf } from './rows.ts'

const MIB = 1024 * 1024
const CHAINS = 4
const DRAWS = 25_000

const connect = (api: Started) => Promise.all(Array.from({ length: CHAINS }, () => Connection.open(api.url)))

/** 1 MiB bodies by four writers, a chain each, against inserts of the same rows by four clients of the engine. */
export async function ingestFigure(api: Started, engine: Database, scale: Scale): Promise<Figure> {
  const connections = await connect(api)
  const model = eightSchools()
  const rid = newRid()
  const [first] = connections
  if (first === undefined) throw new Error('no connection')
  await createRun(first, rid, model, CHAINS)
  const body = Body.ofSize(model, MIB)
  const writers = connections.map((c, chain) => new Writer(c, rid, chain, Body.ofSize(model, MIB)))
  const place = { tenant: 'bench', rid, registration: `0.${rid}`, chain: 0 }
  const rows = rowsOf(place, model.schema, body.bytes)
  const [alone, appended] = await compare(
    scale.rounds,
    () => rate(CHAINS, scale.seconds, () => engine.insert(INSERT_CHUNKS, rows, oneBlock())),
    () => rate(CHAINS, scale.seconds, async (worker) => writers[worker]?.append()),
  )
  for (const connection of connections) connection.close()
  const detail = `${appended.toFixed(1)} MiB/s; the engine ${alone.toFixed(1)} MiB/s`
  return atLeast('ingest 1 MiB, 4 chains', appended / alone, 0.5, detail)
}

const PLAIN = `SELECT float64 FROM chunks WHERE tenant = 'local' AND kind = 'draws' AND rid = {rid:String}
  AND name = 'x' AND chain = {chain:UInt32} ORDER BY start`

/** One variable of four chains, all at once, against the engine's own answer with these numbers. */
export async function readFigure(api: Started, engine: Database, scale: Scale): Promise<Figure> {
  const connections = await connect(api)
  const model = vector(1)
  const rid = newRid()
  const [first] = connections
  if (first === undefined) throw new Error('no connection')
  await createRun(first, rid, model, CHAINS)
  const appends = connections.map((c, chain) => new Writer(c, rid, chain, new Body(model, DRAWS, chain + 1)).append())
  await Promise.all(appends)
  const all = (one: (chain: number) => Promise<unknown>) => async () => {
    for (let turn = 0; turn < 10; turn++) await Promise.all(connections.map((_, chain) => one(chain)))
  }
  const fromEngine = async (chain: number) => {
    const { length } = await engine.select(PLAIN, { rid, chain })
    if (length < DRAWS * 8) throw new Error(`the engine answered with ${length} bytes`)
  }
  const fromApi = async (chain: number) => {
    const head = requestHead('GET', `/v1/runs/${rid}/chains/${chain}/draws?var=x`, 0)
    const reply = await expectStatus(connections[chain]?.send(head) ?? Promise.reject(new Error('no connection')), 200)
    if (reply.length < DRAWS * 8) throw new Error(`the API answered with ${reply.length} bytes`)
  }
  const [alone, read] = await compare(
    scale.rounds,
    () => seconds(all(fromEngine)),
    () => seconds(all(fromApi)),
  )
  for (const connection of connections) connection.close()
  const ms = (s: number) => `${(s * 100).toFixed(1)} ms`
  return atLeast('read one variable, 4 x 25,000 float64', alone / read, 0.5, `${ms(read)}; the engine ${ms(alone)}`)
}
