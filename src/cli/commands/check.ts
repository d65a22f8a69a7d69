/** `mcb check`: findings that tell whether a run can be trusted, and an exit code that says it to scripts. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Check, HttpBackend, type HttpRun, isMcbError, type RunChecks, type Status } from '../../client/index.ts'
import { checksJson } from '../../core/formats/checks-json.ts'
import { printedJson } from '../answers.ts'
import { CliError, toldError, UsageError } from '../cli-error.ts'
import type { Command, Shown } from '../command.ts'
import { interruptible, Progress, printed } from '../output.ts'
import { clientOptions, requireRun } from '../server.ts'
import { filled, shown, widthOf } from '../terminal.ts'

const EXIT_CODES: Readonly<Record<Status, number>> = { ok: 0, warn: 1, fail: 2, unknown: 3 }
/** Milliseconds between two looks at a run that grows. */
const EVERY = 3000
/** Columns of the terminal before a finding. */
const HEAD = 21

/** A run that could not be judged: neither good nor bad. */
class Unjudged extends CliError {
  override readonly exitCode = EXIT_CODES.unknown
}

export const check: Command = {
  usage: 'check RID',
  about: 'can the run be trusted? what is wrong, by how much, and what to do',
  options: { watch: { type: 'boolean' } },
  optionHelp: [
    '--watch              go on until the run is done, with a line for each check whose status has changed',
    '                     the exit code is 0 when all is well, 1 for a warning, 2 when a check has failed, and 3 where',
    '                     nothing can be said: too few draws, or the server is not there',
  ],
  examples: ['check my-run', 'check my-run --watch', 'check my-run --json || echo "look at the traces"'],
  args: 1,
  run: async ({ backend, profile }, [rid = ''], given) => {
    try {
      const run = await requireRun(backend, rid)
      if (given.watch !== true) return await checked(run)
      const patient = await requireRun(new HttpBackend(clientOptions(profile)), rid)
      const print = given.json === true ? printAnswer : printChanges
      process.exitCode = EXIT_CODES[await watched(patient, print)]
      return undefined
    } catch (error) {
      const told = toldError(error)
      if (told === undefined || told instanceof UsageError) throw error
      throw new Unjudged(told.message, told.code)
    }
  },
}

async function checked(run: HttpRun): Promise<Shown> {
  const found = await asked(run)
  process.exitCode = EXIT_CODES[found.status]
  return { json: checksJson(found), text: textOf(found).join('\n') }
}

/** The checks, once all of their numbers are computed. */
async function asked(run: HttpRun): Promise<RunChecks> {
  const progress = new Progress()
  try {
    return await run.checks({ onProgress: (share) => progress.tell(() => `computing: ${Math.floor(100 * share)} %`) })
  } finally {
    progress.end()
  }
}

type Print = (found: RunChecks, before: RunChecks | undefined) => Promise<void>

/** Prints the checks as they change until the run is done, or deleted; the last status. */
async function watched(run: HttpRun, print: Print): Promise<Status> {
  const done = interruptible('stopped; the run goes on')
  let before: RunChecks | undefined
  try {
    for (;;) {
      // The state comes first: checks that are asked for behind it have all draws of a run that is done.
      const { state } = await run.about()
      const found = await asked(run)
      await print(found, before)
      before = found
      if (state === 'done') return found.status
      await pause(EVERY)
    }
  } catch (error) {
    if (before === undefined || !isMcbError(error, 'run_not_found', 'run_replaced')) throw error
    await printed(`run ${run.rid} is deleted\n`)
    return before.status
  } finally {
    done()
  }
}

async function printAnswer(found: RunChecks, before: RunChecks | undefined): Promise<void> {
  if (before === undefined || changesIn(found, before).length > 0) await printed(`${printedJson(checksJson(found))}\n`)
}

async function printChanges(found: RunChecks, before: RunChecks | undefined): Promise<void> {
  if (before === undefined) return printed(`${textOf(found).join('\n')}\n`)
  const time = new Date().toTimeString().slice(0, 8)
  const lines = changesIn(found, before).map(([check, was]) => {
    return `${time}  ${check.check}: ${was} → ${check.status}. ${shown(check.message)}`
  })
  await printed(lines.map((line) => `${line}\n`).join(''))
}

/** Checks whose status is another one than before, and the one that it was. */
function changesIn(found: RunChecks, before: RunChecks): (readonly [Check, Status])[] {
  const statuses = new Map(before.checks.map(({ check, status }) => [check, status]))
  return found.checks.flatMap((check) => {
    const was = statuses.get(check.check) ?? 'unknown'
    return was === check.status ? [] : [[check, was] as const]
  })
}

/** A line for all, and below it each finding with its advice. */
function textOf({ rid, status, draws, checks }: RunChecks): string[] {
  const lines = checks.flatMap(({ check, status: own, message, advice }) => [
    ...finding(`${filled(own, 8, 'right')}${filled(check, HEAD - 8, 'right')}`, message),
    ...(advice === '' ? [] : finding(' '.repeat(HEAD), advice)),
  ])
  return [`${rid}: ${status}, ${draws} draws a chain`, ...lines]
}

/** A sentence behind a head; at a terminal, on as many lines as it takes. */
function finding(head: string, sentence: string): string[] {
  const { isTTY, columns = 80 } = process.stdout
  if (!isTTY) return [`${head}${shown(sentence)}`]
  const most = Math.max(40, columns - HEAD)
  const lines: string[] = []
  for (const word of shown(sentence).split(' ')) {
    const line = lines.at(-1)
    if (line === undefined || widthOf(line) + 1 + widthOf(word) > most) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines.map((line, i) => `${i === 0 ? head : ' '.repeat(HEAD)}${line}`)
}
