/** `node bench/doors/zarr.ts`: a run over HTTP as xarray reads it, against the same chunks in a folder that zarr-python wrote. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { pythonOf } from '../../tools/readers/environments.ts'
import { benchCommand } from '../lib/command.ts'
import { atMost, type Figure, newRid } from '../lib/figures.ts'
import { median } from '../lib/measure.ts'
import { Body, createRun, type Model, scalars, vector, Writer } from '../lib/model.ts'
import { type Started, start } from '../lib/server.ts'
import { Connection } from '../lib/wire.ts'

const HELP = `usage: node bench/doors/zarr.ts [--json] [--quick] [--only NAME]

  --json       one JSON object on standard output; progress goes to standard error
  --quick      three pairs instead of eleven
  --only NAME  vector or scalars; may be repeated

\`xarray.open_datatree\` and \`load\` of 4 chains of 1,000 draws, of a vector of 100 and of 100 scalars, in one Python process: over HTTP
from a server as \`npm start\` starts it, from a folder, and over HTTP from a server that does nothing but send the files of that folder out
of memory, which is what the reader's HTTP costs alone. They take turns; a ratio is the median over the turns. Needs an
environment of \`npm run test:readers\`, or MCB_ZARR_PYTHON: a Python with xarray, zarr, fsspec and aiohttp. Use an idle machine.`

const CHAINS = 4
const DRAWS = 1000
const { scale, only, report, finish } = benchCommand(HELP)
const TURNS = scale.data < 1 ? 3 : 11
const MODELS: Readonly<Record<string, Model>> = { vector: vector(100), scalars: scalars(100) }

/** A Python process that copies and loads hierarchies, one after the other. */
class Reader {
  private readonly child
  private readonly lines: AsyncIterator<string>

  constructor() {
    const python = process.env.MCB_ZARR_PYTHON ?? pythonOf('3.13')
    if (!existsSync(python)) throw new Error(`there is no ${python}: run npm run test:readers, or set MCB_ZARR_PYTHON`)
    this.child = spawn(python, ['bench/doors/load_zarr.py'], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  /** Seconds that it takes to load what lies at a place. */
  async load(place: string, sum: number | undefined): Promise<{ readonly seconds: number; readonly sum: number }> {
    const { seconds, sum: found } = await this.ask({ load: place })
    if (sum !== undefined && sum !== found) throw new Error(`${place} has other draws`)
    return { seconds, sum: found }
  }

  async copy(url: string, folder: string): Promise<void> {
    await this.ask({ copy: url, to: folder })
  }

  close(): void {
    this.child.stdin.end()
  }

  private async ask(task: object): Promise<{ readonly seconds: number; readonly sum: number }> {
    this.child.stdin.write(`${JSON.stringify(task)}\n`)
    const { done, value } = await this.lines.next()
    if (done) throw new Error('the reader has ended')
    const { seconds, sum } = JSON.parse(value)
    return { seconds: Number(seconds), sum: Number(sum) }
  }
}

/** Sends files of a folder out of memory. */
async function serveFiles(folder: string): Promise<{ readonly url: string; readonly server: Server }> {
  const files = new Map<string, Buffer | undefined>()
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '')
    if (!files.has(path)) files.set(path, existsSync(join(folder, path)) ? readFileSync(join(folder, path)) : undefined)
    const file = files.get(path)
    response.writeHead(file === undefined ? 404 : 200, { 'Content-Length': file?.length ?? 0 }).end(file)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { url: `http://127.0.0.1:${address.port}`, server }
}

async function fill(server: Started, model: Model): Promise<string> {
  const rid = newRid()
  const connection = await Connection.open(server.url)
  await createRun(connection, rid, model, CHAINS)
  const body = new Body(model, DRAWS / 10)
  for (let chain = 0; chain < CHAINS; chain++) {
    const writer = new Writer(connection, rid, chain, body)
    for (let batch = 0; batch < 10; batch++) await writer.append()
  }
  return new URL(`/v1/runs/${rid}/data.zarr`, server.url).href
}

async function figureOf(name: string, model: Model, server: Started, reader: Reader): Promise<Figure> {
  const folder = resolve(mkdtempSync('data-bench-'))
  const files = await serveFiles(folder)
  try {
    const url = await fill(server, model)
    await reader.copy(url, folder)
    const places = [url, folder, files.url]
    const seconds: number[][] = places.map(() => [])
    let sum: number | undefined
    // The first turn warms up.
    for (let turn = 0; turn <= TURNS; turn++) {
      for (const at of turn % 2 === 0 ? [0, 1, 2] : [2, 1, 0]) {
        const loaded = await reader.load(places[at] ?? '', sum)
        sum = loaded.sum
        if (turn > 0) seconds[at]?.push(loaded.seconds)
      }
    }
    return describe(name, seconds)
  } finally {
    files.server.close()
    files.server.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  }
}

function describe(name: string, [http = [], folder = [], files = []]: readonly number[][]): Figure {
  const ratio = (a: readonly number[], b: readonly number[]) =>
    median(a.map((value, i) => value / (b[i] ?? Number.NaN)))
  const ms = (values: readonly number[]) => `${(1000 * median(values)).toFixed(0)} ms`
  const alone = `${ratio(files, folder).toFixed(2)} for the files over HTTP alone`
  const detail = `${ms(http)} against ${ms(folder)}; ${alone}, ${ratio(http, files).toFixed(2)} against these; ${http.length} turns`
  return atMost(`xarray loads 4 × 1,000 × 100 (${name}), HTTP / folder`, ratio(http, folder), 1.5, 'ratio', detail)
}

const server = await start([process.execPath, 'src/node.ts'], (folder) => ({
  PORT: '0',
  MCB_LOG: 'quiet',
  MCB_MIN_FREE_MIB: '0',
  MCB_DATA_DIR: resolve(folder),
}))
const reader = new Reader()
try {
  for (const [name, model] of Object.entries(MODELS)) {
    if (only === undefined || only.includes(name)) report(await figureOf(name, model, server, reader))
  }
} finally {
  reader.close()
  await server.stop()
}
finish()
