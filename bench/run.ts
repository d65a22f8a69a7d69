/** `npm run bench`: this project's promises of speed and memory, measured. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { appendFigures } from './lib/append-figures.ts'
import { archiveFigures } from './lib/archive-figures.ts'
import { bareTree } from './lib/bare-tree.ts'
import { benchCommand } from './lib/command.ts'
import { elementFigure, hopFigures, lastDrawFigures } from './lib/few-figures.ts'
import { batchingFigure, type Figure, growthFigure, memoryFigures, oneOfManyFigure } from './lib/figures.ts'
import { keysFigures, OPERATOR } from './lib/keys-figures.ts'
import { listFigure } from './lib/list-figures.ts'
import { readFigures } from './lib/read-figures.ts'
import { type Started, start } from './lib/server.ts'
import { sizeFigures } from './lib/size-figures.ts'
import { startFigures } from './lib/start-figures.ts'
import { traceFigures } from './lib/trace-figures.ts'
import { varyingFigure } from './lib/varying-figures.ts'
import { WORKERD_GROUPS } from './lib/workerd-figures.ts'
import { amplificationFigure } from './lib/write-figures.ts'

const HELP = `usage: npm run bench -- [--json] [--quick] [--only NAME]

  --json       one JSON object on standard output; progress goes to standard error
  --quick      a tenth of the data and shorter turns
  --only NAME  one group of figures; may be repeated
               on Node: memory, append, writers, amplification, read, growth, columns, batching, last, elements, varying,
               trace, list, archive, hops, keys, sdk, size, start
               on workerd with run objects: objects, or one of objects-memory, objects-append, objects-against-d1,
               objects-read, objects-bucket-read, objects-last, objects-elements, objects-events;
               catalogue
               on workerd with D1: d1, or one of d1-append, d1-read, d1-growth, d1-columns, d1-batching, d1-memory

Most figures are ratios between things that take turns in one run: an append, the durable log, which stores the same body in
one file and nothing else, and the null sink, which only reads it; or a read, and a constant source that sends as many bytes.
Use an idle machine.`

const { scale, only, report, finish } = benchCommand(HELP)
const KIB = 1024
const MIB = 1024 * KIB

const GROUPS: Readonly<Record<string, (server: Started) => Promise<Figure | Figure[]>>> = {
  // Memory first: idle is what a server needs that has not served yet.
  memory: (server) => memoryFigures(server, scale),
  append: async (server) => [
    ...(await appendFigures(server, scale, KIB, 0.8)),
    ...(await appendFigures(server, scale, 64 * KIB, 0.8)),
    ...(await appendFigures(server, scale, MIB, 0.8)),
    ...(await appendFigures(server, scale, 8 * MIB, 0.8)),
  ],
  writers: async (server) => [
    ...(await appendFigures(server, scale, KIB, 0.6, 64)),
    ...(await appendFigures(server, scale, 64 * KIB, 0.8, 64)),
  ],
  amplification: (server) => amplificationFigure(server, scale),
  growth: (server) => growthFigure(server, scale),
  columns: (server) => oneOfManyFigure(server, scale),
  batching: (server) => batchingFigure(server, scale),
  last: (server) => lastDrawFigures(server, scale, { 20: 8, 300: 5 }),
  elements: (server) => elementFigure(server, scale),
  varying: (server) => varyingFigure(server, scale),
  trace: (server) => traceFigures(server, scale),
  list: (server) => listFigure(server, scale),
}

const serve = (tree = '.', ...args: string[]) =>
  start([process.execPath, join(tree, 'bench/server.ts'), ...args, '--data'])

const matches = (name: string, asked: string) => name === asked || name.startsWith(`${asked}-`)
const wanted = (name: string) => only === undefined || only.some((asked) => matches(name, asked))
const names = [
  ...Object.keys(GROUPS),
  'read',
  'archive',
  'hops',
  'keys',
  'sdk',
  'size',
  'start',
  ...Object.keys(WORKERD_GROUPS),
]
const unknown = only?.find((asked) => !names.some((name) => matches(name, asked)))
if (unknown !== undefined) {
  console.error(`there is no figure "${unknown}"; --only takes ${names.join(', ')}`)
  process.exit(1)
}
for (const [name, measure] of Object.entries(GROUPS)) {
  if (!wanted(name)) continue
  const server = await serve()
  try {
    report(await measure(server))
  } finally {
    await server.stop()
  }
}
/** Measures two servers, and ends them. */
async function onTwo(
  openFirst: () => Promise<Started>,
  openSecond: () => Promise<Started>,
  measure: (first: Started, second: Started) => Promise<Figure[]>,
): Promise<void> {
  const servers: Started[] = []
  try {
    const first = await openFirst()
    servers.push(first)
    const second = await openSecond()
    servers.push(second)
    report(await measure(first, second))
  } finally {
    for (const started of servers) await started.stop()
  }
}

if (wanted('read')) {
  const tree = bareTree()
  try {
    await onTwo(
      serve,
      () => serve(tree.folder),
      (checked, bare) => readFigures(checked, bare, scale),
    )
  } finally {
    tree.remove()
  }
}
if (wanted('archive')) await onTwo(serve, serve, (server, target) => archiveFigures(server, target, scale))
if (wanted('size')) report(await sizeFigures(scale))
if (wanted('start')) report(await startFigures(scale))
if (wanted('hops')) report(await hopFigures(scale))
if (wanted('keys')) {
  await onTwo(
    serve,
    () => serve('.', '--keys', OPERATOR),
    (open, keyed) => keysFigures(open, keyed, scale),
  )
}
if (wanted('sdk'))
  report(JSON.parse(execFileSync(process.execPath, ['bench/sdk-append.ts', '--json'], { encoding: 'utf8' })))
for (const [name, measure] of Object.entries(WORKERD_GROUPS)) if (wanted(name)) report(await measure(scale))
finish()
