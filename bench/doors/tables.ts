/** Speed of tables over HTTP, against `String(x)` of the same doubles alone: formatting numbers is all that a CSV must cost. */
import { resolve } from 'node:path'
import { HttpBackend } from '../../src/client/index.ts'
import { benchCommand } from '../lib/command.ts'
import { atLeast } from '../lib/figures.ts'
import { compare, seconds } from '../lib/measure.ts'
import { type Started, start } from '../lib/server.ts'

const HELP = `usage: node bench/doors/tables.ts [--json] [--quick]

Draws of 4 chains × 1,000 × 100 scalars, normally distributed, as draws.csv and draws.arrows.`

const CHAINS = 4
const SCALARS = 100
/** Turns that count: one takes a quarter of a second, and what else the machine does shows in it. */
const ROUNDS = 21
const GOAL = 0.7

const { scale, report, say, finish } = benchCommand(HELP)
const draws = 1000 * scale.data

/** Normal numbers (Box and Muller 1958). */
function normal(): number {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
}

/** Writes the run, and gives all its doubles. */
async function write(server: Started): Promise<Float64Array> {
  const names = Array.from({ length: SCALARS }, (_, i) => `x${i}`)
  const variables = names.map((name) => ({ name, dtype: 'float64' }))
  const run = await new HttpBackend({ url: server.url.origin }).initRun({ rid: 'tables', variables })
  const all = Float64Array.from({ length: CHAINS * draws * SCALARS }, normal)
  for (let number = 0; number < CHAINS; number++) {
    const chain = await run.initChain(number)
    const columns = names.map((name, i) => {
      const begin = (number * SCALARS + i) * draws
      return [name, { dtype: 'float64', shape: [draws], data: all.slice(begin, begin + draws) }] as const
    })
    await chain.appendBatch({ count: draws, draws: new Map(columns), stats: new Map() })
  }
  return all
}

/** Bytes of an answer, which are counted and let go. */
async function read(server: Started, path: string): Promise<number> {
  const answer = await fetch(new URL(path, server.url), { headers: { 'Accept-Encoding': 'identity' } })
  if (!answer.ok || answer.body === null) throw new Error(`${path} was answered with ${answer.status}`)
  let bytes = 0
  for await (const chunk of answer.body) bytes += chunk.length
  return bytes
}

/** Characters of all numbers as the engine writes them. */
async function format(numbers: Float64Array): Promise<number> {
  let characters = 0
  for (const x of numbers) characters += String(x).length
  return characters
}

const server = await start([process.execPath, 'src/node.ts'], (folder) => ({
  PORT: '0',
  MCB_LOG: 'quiet',
  MCB_MIN_FREE_MIB: '0',
  MCB_DATA_DIR: resolve(folder),
}))
try {
  say(`writing ${CHAINS} × ${draws} × ${SCALARS} …`)
  const numbers = await write(server)
  const rounds = scale.data < 1 ? 5 : ROUNDS
  for (const [form, goal] of [
    ['csv', GOAL],
    ['arrows', null],
  ] as const) {
    let bytes = 0
    const [formatted, answered] = await compare(
      rounds,
      () => seconds(async () => void (await format(numbers))),
      () =>
        seconds(async () => {
          bytes = await read(server, `/v1/runs/tables/draws.${form}`)
        }),
    )
    const ms = (s: number) => `${(s * 1e3).toFixed(0)} ms`
    const speed = `${(bytes / 2 ** 20 / answered).toFixed(0)} MiB/s`
    report(
      atLeast(
        `String(x) / draws.${form}, ${CHAINS} × ${draws} × ${SCALARS}`,
        formatted / answered,
        goal,
        `${ms(formatted)} / ${ms(answered)}, ${speed}`,
      ),
    )
  }
} finally {
  await server.stop()
}
finish()
