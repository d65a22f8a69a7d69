/** `mcb`: tenants, keys, runs and shares of a server, over HTTP. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import { withoutKeys } from '../core/redaction.ts'
import { VERSION } from '../version.ts'
import { CliError } from './cli-error.ts'
import { COMMANDS, type Command, type Given } from './commands.ts'
import { profilePath, readProfile, removeProfile, requireAddress, requireToken, writeProfile } from './profile.ts'
import { callServer } from './server.ts'

const COMMON = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const

const HELP = `mcb: tenants, keys, runs and shares of a McBackend server

usage: mcb COMMAND [--json] [--help]
       mcb --version

${COMMANDS.map(({ usage, about }) => `  ${usage.padEnd(24)} ${about}`).join('\n')}
  ${'login --url URL'.padEnd(24)} keep the server and a key, read from the standard input, in a file of mode 0600
  ${'logout'.padEnd(24)} forget them

environment
  MCB_URL        address of the server
  MCB_TOKEN      a key, or the operator's token
  MCB_PROFILE    the file of "mcb login"   [~/.config/mcb/profile.json]`

function helpOf({ usage, about, optionHelp = [] }: Command): string {
  const lines = [...optionHelp, '--json               the answer of the server as it is'].map((line) => `  ${line}`)
  return `usage: mcb ${usage}\n\n${about}\n\n${lines.join('\n')}`
}

/** The command with the most words that the arguments begin with; `runs list` is `runs`. */
function commandOf(args: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } {
  const words = args[1] === 'list' ? [...args.slice(0, 1), ...args.slice(2)] : args
  const found = COMMANDS.map((command) => ({
    command,
    name: command.usage.split(' ').filter((w) => !/^[A-Z]/.test(w)),
  }))
    .filter(({ name }) => name.every((word, i) => words[i] === word))
    .sort((a, b) => b.name.length - a.name.length)[0]
  // The typed text is not told: it may be a key.
  if (found === undefined) throw new CliError('there is no such command; "mcb --help" lists them')
  return { command: found.command, rest: words.slice(found.name.length) }
}

/** Parses, and keeps the typed text out of the parser's error: it may be a key. */
function givenTo<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    const message = error instanceof Error ? error.message : ''
    const option = /^Option '([^' ]+)/.exec(message)?.[1]
    throw new CliError(
      option === undefined
        ? 'there is no such option or argument here; see --help'
        : `option ${option}: ${/argument (missing|is ambiguous)/.test(message) ? 'its value is missing' : 'it takes no value'}; see --help`,
    )
  }
}

async function runCommand(args: readonly string[]): Promise<void> {
  const words = args.filter((arg) => !arg.startsWith('-'))
  const { command } = commandOf(words)
  const options = { ...COMMON, ...command.options }
  const { values, positionals } = givenTo(() => parseArgs({ args: [...args], options, allowPositionals: true }))
  const given: Given = Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      typeof value === 'string' || typeof value === 'boolean' ? [[name, value]] : [],
    ),
  )
  if (given.help === true) return console.log(helpOf(command))
  const { rest } = commandOf(positionals)
  if (rest.length !== command.args) throw new CliError(`usage: mcb ${command.usage}`)
  const { json, text } = await command.run(callServer(readProfile(process.env)), rest, given)
  console.log(given.json === true ? JSON.stringify(json, null, 2) : text)
}

/** The first line of the standard input. A key on the command line would stay in the shell's history. */
async function readToken(): Promise<string> {
  if (process.stdin.isTTY) return typedToken()
  let text = ''
  for await (const chunk of process.stdin) {
    text += chunk
    if (text.includes('\n')) break
  }
  return text.split('\n')[0]?.trim() ?? ''
}

/** A line that is typed or pasted at a terminal, which does not show it. */
function typedToken(): Promise<string> {
  process.stderr.write('key (it is not shown): ')
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const prompt = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  return new Promise((resolve) => {
    prompt.once('line', (line) => {
      resolve(line.trim())
      prompt.close()
    })
    prompt.once('close', () => {
      process.stderr.write('\n')
      resolve('')
    })
  })
}

async function login(args: readonly string[]): Promise<void> {
  const options = { ...COMMON, url: { type: 'string' } } as const
  const { values, positionals } = givenTo(() => parseArgs({ args: [...args], options, allowPositionals: true }))
  if (values.help === true) {
    return console.log('usage: mcb login --url URL   reads a key from the standard input and keeps both')
  }
  if (positionals.length > 0) {
    throw new CliError(
      'a key is read from the standard input alone, as in "mcb login --url URL < FILE": what stands on the command line stays in the history of your shell, so revoke a key that you have typed there',
    )
  }
  const url = values.url ?? process.env.MCB_URL
  if (url === undefined) throw new CliError('say which server: mcb login --url https://…')
  requireAddress(url)
  const token = await readToken()
  if (token === '') throw new CliError('no key came; give it on the standard input')
  requireToken(token)
  const profile = { url: url.replace(/\/+$/, ''), token }
  const call = callServer(profile)
  // The operator's token is nobody's key.
  const who = await call('GET', token.startsWith('mcb_') ? '/v1/whoami' : '/v1/tenants')
  const path = profilePath(process.env)
  writeProfile(path, profile)
  const as =
    typeof who.tenant === 'string'
      ? `tenant "${who.tenant}"`
      : typeof who.run === 'string'
        ? `a key of run "${who.run}"`
        : 'operator'
  console.log(`logged in to ${profile.url} as ${as}; kept in ${path}`)
  process.stdin.destroy()
}

async function main(args: readonly string[]): Promise<void> {
  const [first] = args
  if (first === undefined || (args.length === 1 && (first === '--help' || first === '-h' || first === 'help'))) {
    console.log(HELP)
    process.exitCode = first === undefined ? 1 : 0
  } else if (first === '--version' && args.length === 1) console.log(VERSION)
  else if (first === 'login') await login(args.slice(1))
  else if (first === 'logout') {
    removeProfile(profilePath(process.env))
    console.log('the key is forgotten here; "mcb keys revoke ID" ends it everywhere')
  } else await runCommand(args)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof CliError)) throw error
  console.error(`mcb: ${withoutKeys(error.message)}`)
  process.exitCode = 1
}
