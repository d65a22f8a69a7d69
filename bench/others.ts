/** `npm run bench:others`: appends of 64 KiB against other stores of this machine, all durable, in turns of one run. */
import { mkdtempSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { benchCommand } from './lib/command.ts'
import { atLeast } from './lib/figures.ts'
import { median, medianRatio, rate, turns } from './lib/measure.ts'
import { BATCH_BYTES, CLIENTS, type Contestant, MissingError } from './others/contestant.ts'
import { openMlflow } from './others/mlflow.ts'
import { openOurs } from './others/ours.ts'
import { openPostgres } from './others/postgres.ts'
import { endPrograms } from './others/programs.ts'
import { openRedis } from './others/redis.ts'

const HELP = `usage: npm run bench:others -- [--json] [--quick] [--only NAME]

  --json       one JSON object on standard output; progress goes to standard error
  --quick      fewer and shorter turns
  --only NAME  redis, postgres or mlflow; may be repeated

Four clients store batches of 64 KiB, each waiting until its batch is durable, on bare sockets from this process. Every store has
a folder of its own on the disk of the current folder, a free port of this machine, and the settings that it comes with, but:

  redis     appendonly yes, appendfsync always, no snapshots; RPUSH of a batch to the list of its client
  postgres  a table (chain, start, body bytea), a row a batch, by a prepared statement with binary arguments; the bytes not
            compressed (STORAGE EXTERNAL), since the attempt makes it several times slower; as the user "postgres" or "nobody"
            where this is root, who must be able to enter the current folder
  mlflow    its server with one worker and its SQLite store; the 8,192 numbers of a batch as metrics, in nine calls of
            log-batch, which takes 1,000 at most

Between two turns each store does what it has left for later: ours folds until it is at rest, PostgreSQL has a checkpoint, Redis
is emptied. One that is not installed is named, with the way to install it; MCB_REDIS_SERVER, MCB_POSTGRES with MCB_INITDB, and
MCB_MLFLOW are paths of the programs. Use an idle machine.`

const OTHERS = {
  redis: { title: 'Redis', open: openRedis, goal: null },
  postgres: { title: 'PostgreSQL', open: openPostgres, goal: 1 },
  mlflow: { title: 'MLflow', open: openMlflow, goal: 1 },
} as const

const { scale, only, report, finish } = benchCommand(HELP)
const unknown = only?.find((name) => !Object.keys(OTHERS).includes(name))
if (unknown !== undefined) {
  console.error(`there is no store "${unknown}"; --only takes ${Object.keys(OTHERS).join(', ')}`)
  process.exit(1)
}

interface Opened {
  readonly title: string
  readonly goal: number | null
  readonly contestant: Contestant
}

const folders: string[] = []
const newFolder = (name: string) => {
  const folder = resolve(mkdtempSync(`data-bench-${name}-`))
  folders.push(folder)
  return folder
}

async function openOthers(): Promise<Opened[]> {
  const others: Opened[] = []
  for (const [name, { title, goal, open }] of Object.entries(OTHERS)) {
    if (only !== undefined && !only.includes(name)) continue
    try {
      others.push({ title, goal, contestant: await open(newFolder(name)) })
    } catch (error) {
      if (!(error instanceof MissingError)) throw error
      console.error(`${title} is left out: ${error.message}`)
    }
  }
  return others
}

/** Batches a second of one turn; what the turn leaves for later is done in its time, and not counted. */
const turnOf = (contestant: Contestant) => async () => {
  const perSecond = await rate(CLIENTS, scale.seconds, (client) => contestant.batch(client))
  await contestant.settle()
  return perSecond
}

async function end(): Promise<void> {
  await endPrograms()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
}

// The programs are groups of their own, which Ctrl-C does not reach.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end().then(() => process.exit(1)))
try {
  const ours = await openOurs(newFolder('ours'))
  const others = await openOthers()
  const [own = [], ...rates] = await turns(
    scale.rounds,
    turnOf(ours),
    ...others.map(({ contestant }) => turnOf(contestant)),
  )
  for (const [at, { title, goal }] of others.entries()) {
    const theirs = rates[at] ?? []
    const detail = `${median(own).toFixed(0)}/s; ${title} ${median(theirs).toFixed(median(theirs) < 10 ? 2 : 0)}/s`
    const name = `append ${BATCH_BYTES / 1024} KiB, ${CLIENTS} clients / ${title}`
    report(atLeast(name, medianRatio(own, theirs), goal, detail))
  }
} finally {
  await end()
}
finish()
