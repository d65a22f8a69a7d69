/** `mcb`: runs, keys, tenants and shares of a server, over HTTP. */
import { loggable } from '../core/log-text.ts'
import { VERSION } from '../version.ts'
import { printedJson } from './answers.ts'
import { toldError } from './cli-error.ts'
import type { Command } from './command.ts'
import { COMMANDS } from './commands.ts'
import { login, logout } from './login.ts'
import { printed } from './output.ts'
import { typed } from './parse.ts'
import { readProfile } from './profile.ts'
import { callServer, openBackend } from './server.ts'
import { shownLines } from './terminal.ts'

const HELP = `mcb: runs, keys, tenants and shares of a McBackend server

usage: mcb COMMAND [--json] [--help]
       mcb --version

${COMMANDS.map(({ usage, about }) => `  ${usage.padEnd(24)} ${about}`).join('\n')}
  ${'login --url URL'.padEnd(24)} keep the server and a key, which comes from the standard input or is asked for
  ${'logout'.padEnd(24)} forget them

"mcb COMMAND --help" has its options, and an example. "mcb runs" is "mcb runs list".

environment
  MCB_URL        address of the server
  MCB_TOKEN      a key, or the operator's token
  MCB_PROFILE    the file of "mcb login"   [~/.config/mcb/profile.json]

exit code: 0 when it is done, 1 when it has failed, 2 when the arguments cannot be meant; "mcb check" has its own`

function helpOf({ usage, about, optionHelp = [], examples }: Command): string {
  const lines = [...optionHelp, '--json               the answer of the server as it is'].map((line) => `  ${line}`)
  const shown = examples.map((line) => `  mcb ${line}`).join('\n')
  return `usage: mcb ${usage}\n\n${about}\n\n${lines.join('\n')}\n\nexample\n${shown}`
}

async function runCommand(words: readonly string[]): Promise<void> {
  const { command, args, given } = typed(words)
  if (given.help === true) return console.log(helpOf(command))
  const profile = readProfile(process.env)
  const context = { profile, call: callServer(profile), backend: openBackend(profile) }
  const shown = await command.run(context, args, given)
  if (shown !== undefined) await printed(`${given.json === true ? printedJson(shown.json) : shownLines(shown.text)}\n`)
}

async function main(args: readonly string[]): Promise<void> {
  const [first, ...rest] = args
  const isHelp = first === '--help' || first === '-h' || first === 'help'
  if (first === undefined || (isHelp && rest.length === 0)) console.log(HELP)
  else if (first === '--version' && rest.length === 0) console.log(VERSION)
  else if (first === 'login') await login(rest)
  else if (first === 'logout') logout(rest)
  else await runCommand(first === 'help' ? [...rest, '--help'] : args)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  const told = toldError(error)
  if (told === undefined) throw error
  console.error(`mcb: ${loggable(told.message)}`)
  process.exitCode = told.exitCode
}
