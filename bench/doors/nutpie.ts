/** `node bench/doors/nutpie.ts`: nutpie samples into a run's URL, against a local Zarr folder. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { pythonOf } from '../../tools/readers/environments.ts'
import { benchCommand } from '../lib/command.ts'
import { atMost, type Figure } from '../lib/figures.ts'
import { median } from '../lib/measure.ts'
import { type Started, start } from '../lib/server.ts'

const HELP = `usage: node bench/doors/nutpie.ts [--json] [--quick] [--only NAME]

  --json       one JSON object on standard output; progress goes to standard error
  --quick      a tenth of the draws, two turns instead of five
  --only NAME  schools or vector; may be repeated

nutpie samples 4 chains of 1,000 draws of warmup and 2,000 behind it: of eight schools, and of a vector of 1,000. It writes into
\`in.zarr\` of a server as \`npm start\` starts it, and into a folder, in turns; a ratio is the median over the turns. The server waits for
the disk before it acknowledges a chunk, the folder does not. Needs an environment of \`npm run test:readers\`, or MCB_NUTPIE_PYTHON: a
Python with nutpie and PyMC. Use an idle machine.`

const { scale, only, report, finish } = benchCommand(HELP)
const MODELS = { schools: 0, vector: 1000 } as const

async function figureOf(name: string, size: number, server: Started): Promise<Figure> {
  const python = process.env.MCB_NUTPIE_PYTHON ?? pythonOf('3.13')
  if (!existsSync(python)) throw new Error(`there is no ${python}: run npm run test:readers, or set MCB_NUTPIE_PYTHON`)
  const numbers = [2000 * scale.data, 1000 * scale.data, size, scale.rounds].map(String)
  const child = spawn(python, ['bench/doors/sample_nutpie.py', server.url.href, ...numbers], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const turns: { readonly local: number; readonly url: number }[] = []
  for await (const line of createInterface({ input: child.stdout })) turns.push(JSON.parse(line))
  if (turns.length === 0) throw new Error('nutpie has sampled nothing')
  const ratio = median(turns.map(({ local, url }) => url / local))
  const seconds = (values: readonly number[]) => `${median(values).toFixed(2)} s`
  const detail = `${seconds(turns.map(({ url }) => url))} against ${seconds(turns.map(({ local }) => local))}; ${turns.length} turns`
  return atMost(`nutpie (${name}), URL / folder`, ratio, 1.3, 'ratio', detail)
}

const server = await start([process.execPath, 'src/node.ts'], (folder) => ({
  PORT: '0',
  MCB_LOG: 'quiet',
  MCB_MIN_FREE_MIB: '0',
  MCB_DATA_DIR: resolve(folder),
}))
try {
  for (const [name, size] of Object.entries(MODELS)) {
    if (only === undefined || only.includes(name)) report(await figureOf(name, size, server))
  }
} finally {
  await server.stop()
}
finish()
