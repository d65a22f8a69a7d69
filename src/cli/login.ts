/** `mcb login`, which keeps a server and a key, and `mcb logout`. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { UsageError } from './cli-error.ts'
import { COMMON, parsed } from './parse.ts'
import { profilePath, removeProfile, requireAddress, requireToken, writeProfile } from './profile.ts'
import { callServer } from './server.ts'
import { shown } from './terminal.ts'

const HELP = `usage: mcb login --url URL

keep the server and a key in a file that only you may read (mode 0600)

  --url URL            address of the server   [MCB_URL]
                       the key is asked for at a terminal, which does not show it; otherwise it is the first line of the
                       standard input, and never an argument: others see those, and the history of the shell keeps them

example
  mcb login --url https://draws.example.org < key-file`

const ON_STDIN =
  'a key is read from the standard input alone, as in "mcb login --url URL < FILE": others on this machine see what stands on the command line, and the history of your shell keeps it, so revoke a key that you have typed there'

/** Names under which a key might be given, so that the sentence says how it is. */
const KEY_OPTIONS = /^--?(key|token|secret|password)(=|$)/

export async function login(args: readonly string[]): Promise<void> {
  if (args.some((arg) => KEY_OPTIONS.test(arg))) throw new UsageError(ON_STDIN)
  const { values, positionals } = parsed(args, { ...COMMON, url: { type: 'string' } } as const)
  if (values.help === true) return console.log(HELP)
  if (positionals.length > 0) throw new UsageError(ON_STDIN)
  const url = values.url ?? process.env.MCB_URL
  if (url === undefined) throw new UsageError('say which server: mcb login --url https://…')
  requireAddress(url)
  const token = await readToken()
  if (token === '') throw new UsageError('no key came; give it on the standard input')
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
  console.log(shown(`logged in to ${profile.url} as ${as}; kept in ${path}`))
  process.stdin.destroy()
}

export function logout(args: readonly string[]): void {
  const { values } = parsed(args, COMMON)
  if (values.help === true) {
    console.log('usage: mcb logout\n\nforget the server and the key that "mcb login" has kept\n\nexample\n  mcb logout')
    return
  }
  removeProfile(profilePath(process.env))
  console.log('the key is forgotten here; "mcb keys revoke ID" ends it everywhere')
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
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const prompt = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  // Only now does the terminal show nothing: who answers sooner than that sees the key.
  process.stderr.write('key (it is not shown): ')
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
