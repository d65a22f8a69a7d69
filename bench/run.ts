/** `npm run bench`: what this project promises of speed and memory, measured. */
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import {
  appendFigure,
  batchingFigure,
  type Figure,
  growthFigure,
  memoryFigures,
  oneOfManyFigure,
  readFigure,
  type Scale,
} from './lib/figures.ts'
import { keysFigures, OPERATOR } from './lib/keys-figures.ts'
import { type Started, start } from './lib/server.ts'
import { d1Figures, objectFigures } from './lib/workerd-figures.ts'

const HELP = `usage: npm run bench -- [--json] [--quick] [--only NAME]

  --json       one JSON object on standard output; progress goes to standard error
  --quick      a tenth of the data and shorter turns
  --only NAME  append, writers, read, growth, columns, batching, memory, keys, sdk, objects or d1; may be repeated

objects and d1 are the Worker on workerd.

Each figure is a ratio between two things that take turns in one run: a route of the server and a null sink that reads
the same body, or a constant source that sends as many bytes. Use an idle machine.`

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
    only: { type: 'string', multiple: true },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit(0)
}

const scale: Scale = values.quick ? { rounds: 2, seconds: 1, data: 0.1 } : { rounds: 5, seconds: 2, data: 1 }
const KIB = 1024
const MIB = 1024 * KIB

const GROUPS: Readonly<Record<string, (server: Started) => Promise<Figure | Figure[]>>> = {
  // Memory first: idle is what a server needs that has not served yet.
  memory: (server) => memoryFigures(server, scale),
  append: async (server) => [
    await appendFigure(server, scale, KIB, 0.8),
    await appendFigure(server, scale, 64 * KIB, 0.8),
    await appendFigure(server, scale, MIB, 0.5),
    await appendFigure(server, scale, 8 * MIB, 0.5),
  ],
  writers: (server) => appendFigure(server, scale, KIB, null, 64),
  read: (server) => readFigure(server, scale, 0.7),
  growth: (server) => growthFigure(server, scale),
  columns: (server) => oneOfManyFigure(server, scale),
  batching: (server) => batchingFigure(server, scale),
}

const figures: Figure[] = []
const say = (text: string) => (values.json ? console.error(text) : console.log(text))
function report(found: Figure | Figure[]): void {
  for (const figure of [found].flat()) {
    figures.push(figure)
    const verdict = figure.met === null ? '' : figure.met ? 'met' : 'NOT MET'
    say(
      `${figure.name.padEnd(52)} ${String(figure.value).padStart(8)} ${figure.unit.padEnd(6)} ${figure.goal.padEnd(8)} ${verdict.padEnd(8)} ${figure.detail}`,
    )
  }
}

const wanted = (name: string) => values.only === undefined || values.only.includes(name)
for (const [name, measure] of Object.entries(GROUPS)) {
  if (!wanted(name)) continue
  const server = await start([process.execPath, 'bench/server.ts', '--data'])
  try {
    report(await measure(server))
  } finally {
    await server.stop()
  }
}
if (wanted('keys')) {
  const server = (...args: string[]) => start([process.execPath, 'bench/server.ts', ...args, '--data'])
  const servers = [await server(), await server('--keys', OPERATOR)] as const
  try {
    report(await keysFigures(...servers, scale))
  } finally {
    for (const started of servers) await started.stop()
  }
}
if (wanted('sdk'))
  report(JSON.parse(execFileSync(process.execPath, ['bench/sdk-append.ts', '--json'], { encoding: 'utf8' })))
if (wanted('objects')) report(await objectFigures(scale))
if (wanted('d1')) report(await d1Figures(scale))
if (values.json) console.log(JSON.stringify({ node: process.version, quick: values.quick, figures }, null, 2))
