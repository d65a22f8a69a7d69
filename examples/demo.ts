/** The whole path at work: a server, a sampler that streams to it, and a second client that reads meanwhile. */
import { parseArgs } from 'node:util'
import { HttpBackend, type Run } from '../src/client/index.ts'
import { PUBLISHED, PUBLISHED_ESS, type Published } from './eight-schools/published.ts'
import { registerRun, type SamplingOptions, sampleRun } from './eight-schools/run.ts'
import { type Estimate, summarise } from './eight-schools/summary.ts'
import { startServer } from './server.ts'

const HELP = `Samples the eight schools model into a McBackend Edge server, reads it live, and prints the address of the page that
shows it. It then goes on with runs that one can watch, one of them with problems, until Ctrl-C.

usage: npm run demo -- [options]

  --chains N    chains that are sampled side by side   [4]
  --draws N     draws of each chain after warmup       [20000]
  --warmup N    iterations that adapt the sampler      [1000]
  --seed N      seed of the random numbers             [20]
  --url URL     a server that is running already; without it, one is started for the demo,
                with its data in a temporary folder
  --once        ends when the first run is sampled
  -h, --help    this text

With --once it ends with 0 when the posterior means agree with the published ones within their Monte Carlo errors.`

/** Milliseconds between two looks of the second client. */
const LOOK_EVERY = 150
/** Standard errors of the difference beyond which a mean is not right by chance. */
const TOLERANCE = 5

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      chains: { type: 'string', default: '4' },
      draws: { type: 'string', default: '20000' },
      warmup: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '20' },
      url: { type: 'string' },
      once: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const options: SamplingOptions = {
    chains: countFrom('chains', values.chains, 1),
    draws: countFrom('draws', values.draws, 100),
    warmup: countFrom('warmup', values.warmup, 1),
    seed: countFrom('seed', values.seed, 0),
  }
  const show = values.once ? demonstrate : demonstrateOn
  if (values.url !== undefined) return show(values.url, options)
  console.log('starting a server …')
  await using server = await startServer()
  return await show(server.url, options)
}

/** Draws that a chain of a run to watch gets in a second, and those after which the next run begins. */
const PACE = 40
const DRAWS_TO_WATCH = 4000

/** The demonstration, and after it runs to watch on the page, one after the other, until the process is ended. */
async function demonstrateOn(url: string, options: SamplingOptions): Promise<number> {
  const status = await demonstrate(url, options)
  if (status !== 0) return status
  console.log(`\nTwo runs go on, so that there is something to see, at ${url}/ui/ until Ctrl-C:`)
  const writer = new HttpBackend({ url, flush: { interval: 200 } })
  for (let seed = options.seed + 1; ; seed++) {
    const more = { ...options, draws: DRAWS_TO_WATCH, seed, perSecond: PACE, target: 0.8 }
    await Promise.all([
      watchable(url, writer, { ...more, form: 'non-centered' }),
      watchable(url, writer, { ...more, form: 'centered' }),
    ])
  }
}

async function watchable(url: string, writer: HttpBackend, options: SamplingOptions): Promise<void> {
  const { form, draws, warmup } = options
  const run = await registerRun(writer, options)
  await run.setAbout({
    name: `Eight schools, ${form}`,
    tags: ['demo'],
    notes: form === 'centered' ? 'Its posterior is a funnel: look where divergences gather.' : null,
    facts: { expected: { draws, warmup } },
  })
  console.log(`  ${form?.padEnd(12)}  ${url}/ui/runs/${run.rid}`)
  await sampleRun(run, options)
}

function countFrom(name: string, text: string, least: number): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count >= least) return count
  throw new Error(`--${name} must be a whole number from ${least} on, not "${text}"`)
}

async function demonstrate(url: string, options: SamplingOptions): Promise<number> {
  console.log(`server:  ${url}`)
  console.log(`page:    ${url}/ui/`)
  const writer = new HttpBackend({ url, flush: { interval: 100 } })
  const run = await registerRun(writer, options)
  const { draws, warmup } = options
  await run.setAbout({ name: 'Eight schools', tags: ['demo'], facts: { expected: { draws, warmup } } })
  console.log(`run:     ${run.rid}`)
  console.log(`sampling ${options.chains} chains of ${options.warmup} + ${options.draws} iterations\n`)

  const reader = new HttpBackend({ url })
  const seen = await reader.getRun(run.rid)
  if (seen === undefined) throw new Error(`the second client does not find run ${run.rid}`)
  const sampling = new AbortController()
  const watching = watch(seen, sampling.signal)
  // Met below, when the sampler has ended; until then it must not end the process.
  watching.catch(() => undefined)
  const begun = performance.now()
  try {
    await sampleRun(run, options, ({ chain, done, total, divergences }) => {
      const percent = `${Math.round((100 * done) / total)} %`.padStart(5)
      console.log(`chain ${chain}  ${percent}  ${done} of ${total} iterations, ${divergences} divergences`)
    })
  } finally {
    sampling.abort()
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  const looks = await watching
  console.log(`\nsampled and stored in ${seconds} s; the second client saw it grow in ${looks} looks\n`)
  const isRight = printTable(await summarise(seen))
  await writer.close()
  return isRight ? 0 : 1
}

/** Reads the run while it is sampled; gives how often it was seen unfinished. */
async function watch(run: Run, signal: AbortSignal): Promise<number> {
  let looks = 0
  while (!signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY))
    const chains = await run.getChains()
    const lengths = await Promise.all(chains.map((chain) => chain.length()))
    if (signal.aborted || lengths.every((length) => length === 0)) continue
    const recent = await chains[0]?.getDraws('mu', { start: -500 })
    if (recent === undefined || !('dtype' in recent) || recent.dtype !== 'float64') continue
    const mean = recent.data.reduce((sum, mu) => sum + mu, 0) / recent.data.length
    console.log(
      `         second client: lengths ${lengths.join(', ')}; mean of the last mu of chain 0 ${mean.toFixed(2)}`,
    )
    looks++
  }
  return looks
}

/** Prints the means beside the published ones; true when they agree. */
function printTable(estimates: readonly Estimate[]): boolean {
  const row = (...cells: string[]) =>
    console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(10) : cell.padStart(11))).join(''))
  row('', 'mean', 'MCSE', 'published', 'difference')
  let isRight = true
  for (const published of PUBLISHED) {
    const estimate = estimates.find(({ name }) => name === published.name)
    if (estimate === undefined) throw new Error(`the run has no ${published.name}`)
    const difference = inErrors(estimate, published)
    if (!(Math.abs(difference) < TOLERANCE)) isRight = false
    const { mean, mcse } = estimate
    row(published.name, mean.toFixed(3), mcse.toFixed(3), published.mean.toFixed(3), `${difference.toFixed(1)} SE`)
  }
  console.log('\npublished: posteriordb, eight_schools-eight_schools_noncentered, 10,000 reference draws by Stan')
  console.log('SE: standard error of the difference, from the Monte Carlo errors of both')
  if (!isRight) console.log(`\nA mean differs by more than ${TOLERANCE} SE from the published one.`)
  return isRight
}

function inErrors({ mean, mcse }: Estimate, published: Published): number {
  return (mean - published.mean) / Math.hypot(mcse, published.sd / Math.sqrt(PUBLISHED_ESS))
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
