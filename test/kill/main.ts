/** `npm run kill-test`: a server that is killed again and again loses, doubles and skips nothing that it acknowledged. */
import { parseArgs } from 'node:util'
import { TARGETS } from './target.ts'
import { trial } from './trial.ts'

const HELP = `usage: npm run kill-test -- [--target NAME] [--rounds N] [--seconds N] [--runs N] [--chains N]

  --target   node: the Node entry with a SQLite file; clickhouse: in front of ClickHouse, which goes on;
             engine: ClickHouse's development engine, behind a Node entry that goes on;
             worker: the Worker on workerd with run objects; bucket: the same with a bucket; all when absent
  --rounds   how often it is killed (SIGKILL) at a random moment and started again   [30]
  --seconds  how long is written without a kill after that, at least                 [2]
  --runs     runs that are written at once                                           [3]
  --chains   chains of each run, each written by a client of its own                 [4]

The draws are small in every third run, large in the next, and both in the one after it; beside them a run is written,
deleted and begun again over and over. Without kills it is a test of many writers at once: --rounds 0 --runs 64 --seconds 180.
Exits with 1 when an acknowledged draw is missing, doubled or not what was sent, when the list of runs is wrong, or when
the Worker keeps a row or an object of the bucket after everything was deleted.`

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    rounds: { type: 'string', default: '30' },
    seconds: { type: 'string', default: '2' },
    runs: { type: 'string', default: '3' },
    chains: { type: 'string', default: '4' },
    help: { type: 'boolean', short: 'h' },
  },
})

function numberOf(name: 'rounds' | 'seconds' | 'runs' | 'chains'): number {
  const number = Number(values[name])
  if (Number.isInteger(number) && number >= 0) return number
  console.error(`--${name} must be a whole number, not "${values[name]}"`)
  process.exit(1)
}

if (values.help) {
  console.log(HELP)
  process.exit(0)
}
const targets = TARGETS.filter((name) => values.target === undefined || values.target === name)
if (targets.length === 0) {
  console.error(`--target must be one of ${TARGETS.join(', ')}, not "${values.target}"`)
  process.exit(1)
}
const [rounds, seconds, runs, chains] = [numberOf('rounds'), numberOf('seconds'), numberOf('runs'), numberOf('chains')]
let failed = false
for (const target of targets) {
  const begun = Date.now()
  const { kills, draws, deletions, writtenByRound, faults } = await trial({
    target,
    rounds,
    seconds,
    runs,
    chains,
    say: (line) => console.log(`${target}: ${line}`),
  })
  for (const fault of faults) console.error(`${target}: ${fault}`)
  const busy = writtenByRound.filter((n) => n > 0).length
  console.log(
    `${target}: ${kills} kills (${busy} of them with draws acknowledged around them), ${runs * chains} chains, ` +
      `${draws} draws acknowledged, ${deletions} deletions, ${faults.length} faults, ${((Date.now() - begun) / 1000).toFixed(0)} s`,
  )
  failed ||= faults.length > 0
}
process.exit(failed ? 1 : 0)
