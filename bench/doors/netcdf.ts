/** `node bench/doors/netcdf.ts`: data.nc against the protobuf answers of the same draws. */
import { resolve } from 'node:path'
import { benchCommand } from '../lib/command.ts'
import { atLeast, type Figure, newRid } from '../lib/figures.ts'
import { compare, seconds } from '../lib/measure.ts'
import { Body, createRun, type Model, scalars, vector, Writer } from '../lib/model.ts'
import { type Started, start } from '../lib/server.ts'
import { Connection, expectStatus, requestHead } from '../lib/wire.ts'

const HELP = `usage: node bench/doors/netcdf.ts [--json] [--quick] [--only NAME]

  --json       one JSON object on standard output; progress goes to standard error
  --quick      128 MiB and three turns instead of 1 GiB and seven
  --only NAME  vector or scalars; may be repeated

4 chains of a vector of 1,000, and of 100 scalars, read from a server as \`npm start\` starts it: as one netCDF file, and as
the protobuf answer of each chain. They take turns on one connection; a figure is the ratio of the medians. Use an idle machine.`

const CHAINS = 4
const MIB = 1024 * 1024
const { scale, only, report, finish } = benchCommand(HELP)
const isQuick = scale.data < 1
const BYTES = (isQuick ? 128 : 1024) * MIB
const TURNS = isQuick ? 3 : 7
const MODELS: Readonly<Record<string, Model>> = { vector: vector(1000), scalars: scalars(100) }

async function fill(connection: Connection, rid: string, model: Model): Promise<void> {
  await createRun(connection, rid, model, CHAINS)
  const body = Body.ofSize(model, 8 * MIB)
  const batches = Math.ceil(BYTES / CHAINS / body.bytes.length)
  for (let chain = 0; chain < CHAINS; chain++) {
    const writer = new Writer(connection, rid, chain, body)
    for (let batch = 0; batch < batches; batch++) await writer.append()
  }
}

async function figureOf(name: string, model: Model, server: Started): Promise<Figure> {
  const connection = await Connection.open(server.url)
  const rid = newRid()
  await fill(connection, rid, model)
  const run = `/v1/runs/${rid}`
  let bytes = 0
  const get = async (path: string) => {
    bytes += (await expectStatus(connection.send(requestHead('GET', path, 0)), 200)).length
  }
  const speed = async (paths: readonly string[]) => {
    bytes = 0
    const taken = await seconds(async () => {
      for (const path of paths) await get(path)
    })
    return bytes / MIB / taken
  }
  const chains = Array.from({ length: CHAINS }, (_, chain) => `${run}/chains/${chain}/draws`)
  const [file, answers] = await compare(
    TURNS,
    () => speed([`${run}/data.nc`]),
    () => speed(chains),
  )
  connection.close()
  const detail = `${file.toFixed(0)} against ${answers.toFixed(0)} MiB/s; ${(BYTES / MIB).toFixed(0)} MiB, ${TURNS} turns`
  return atLeast(`data.nc (${name}), against protobuf`, file / answers, 0.9, detail)
}

const server = await start([process.execPath, 'src/node.ts'], (folder) => ({
  PORT: '0',
  MCB_LOG: 'quiet',
  MCB_MIN_FREE_MIB: '0',
  MCB_DATA_DIR: resolve(folder),
}))
try {
  for (const [name, model] of Object.entries(MODELS)) {
    if (only === undefined || only.includes(name)) report(await figureOf(name, model, server))
  }
} finally {
  await server.stop()
}
finish()
