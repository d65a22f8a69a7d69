/** Steps of a tool's command line, `npm run test:NAME [-- STEP...]`: each says what it is for, and how it went. */
import { Missing } from './apt.ts'

/** A step behind its purpose. It throws an Error when something is wrong, and Missing for want of a tool. */
export type Step = readonly [purpose: string, run: () => unknown]
export type Steps = Readonly<Record<string, Step>>

export interface Options {
  /** The text of `--help`, around the list of the steps. */
  readonly usage: string
  readonly notes: string
  /** Makes ready whatever any step needs. */
  readonly prepare?: () => Promise<void> | void
  /** Steps that are done at once, behind all others, which are done one after the other. */
  readonly together?: readonly string[]
  /** True where what is missing is a failure, as in CI. */
  readonly needsAll: boolean
}

/** Runs a step, and says whether nothing is wrong. */
async function isDone(name: string, [purpose, run]: Step, needsAll: boolean): Promise<boolean> {
  console.log(`\n== ${name}: ${purpose}`)
  const begun = Date.now()
  try {
    await run()
    console.log(`${name}: ${((Date.now() - begun) / 1000).toFixed(1)} s`)
    return true
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (error instanceof Missing && !needsAll) {
      console.log(`${name}: skipped, for want of ${text}`)
      return true
    }
    console.error(`${name}: failed. ${text}`)
    return false
  }
}

/** Does what the command line asks for. Gives the exit code: 1 when a step fails, 2 when it names one that is not there. */
export async function runSteps(steps: Steps, args: readonly string[], options: Options): Promise<number> {
  const { usage, notes, prepare, together = [], needsAll } = options
  const lines = Object.entries(steps).map(([name, [purpose]]) => `  ${name.padEnd(8)} ${purpose}`)
  const help = `${usage}\n\n${lines.join('\n')}\n\n${notes}`
  if (args.includes('--help')) {
    console.log(help)
    return 0
  }
  const unknown = args.filter((name) => !Object.hasOwn(steps, name))
  if (unknown.length > 0) {
    console.error(`there is no step ${unknown.join(', ')}\n${help}`)
    return 2
  }
  await prepare?.()
  const wanted = Object.entries(steps).filter(([name]) => args.length === 0 || args.includes(name))
  const done: boolean[] = []
  for (const [name, step] of wanted.filter(([name]) => !together.includes(name)))
    done.push(await isDone(name, step, needsAll))
  const atOnce = wanted.filter(([name]) => together.includes(name))
  done.push(...(await Promise.all(atOnce.map(([name, step]) => isDone(name, step, needsAll)))))
  return done.includes(false) ? 1 : 0
}
