/** The server and the key: `MCB_URL` and `MCB_TOKEN`, or a profile file that only its owner may read. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import * as v from 'valibot'
import { CliError } from './cli-error.ts'

const profileSchema = v.object({ url: v.string(), token: v.string() })
export type Profile = v.InferOutput<typeof profileSchema>

export function profilePath(env: NodeJS.ProcessEnv): string {
  return env.MCB_PROFILE ?? join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'mcb', 'profile.json')
}

/** @throws CliError that says what to set */
export function readProfile(env: NodeJS.ProcessEnv): Profile {
  const { MCB_URL, MCB_TOKEN } = env
  const stored = MCB_URL !== undefined && MCB_TOKEN !== undefined ? undefined : storedProfile(profilePath(env))
  const url = MCB_URL ?? stored?.url
  const token = MCB_TOKEN ?? stored?.token
  if (url === undefined) throw new CliError('no server is known: set MCB_URL, or run "mcb login --url URL"')
  requireAddress(url)
  if (token !== undefined) requireToken(token)
  // A key goes to the server that it was stored for, and to no other.
  if (MCB_TOKEN === undefined && stored !== undefined && MCB_URL !== undefined && !isSame(MCB_URL, stored.url)) {
    throw new CliError(`the stored key is for ${stored.url}, not for ${MCB_URL}: set MCB_TOKEN as well`)
  }
  return { url: url.replace(/\/+$/, ''), token: token ?? '' }
}

/** Refuses an address that is none, and does not repeat it: it may be a key in the wrong place. @throws CliError */
export function requireAddress(url: string): void {
  const parsed = URL.parse(url)
  const isAddress =
    (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') && parsed.username + parsed.password === ''
  if (!isAddress) throw new CliError('the server (MCB_URL or --url) must be an address as https://draws.example.org')
}

/** Refuses a key that no header can carry; the platform's own error would show it. @throws CliError */
export function requireToken(token: string): void {
  if (/^[\x21-\x7e]*$/.test(token)) return
  throw new CliError(
    'the key (MCB_TOKEN or the standard input) must be visible ASCII without spaces: was all of it copied?',
  )
}

function isSame(a: string, b: string): boolean {
  return a.replace(/\/+$/, '') === b.replace(/\/+$/, '')
}

function storedProfile(path: string): Profile | undefined {
  if (!existsSync(path)) return undefined
  const mode = statSync(path).mode & 0o777
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new CliError(
      `${path} has mode ${mode.toString(8)}: others can read your key; run "chmod 600 ${path}" and change the key`,
    )
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    parsed = undefined
  }
  const profile = v.safeParse(profileSchema, parsed)
  if (!profile.success) throw new CliError(`${path} is damaged: run "mcb login" again`)
  return profile.output
}

export function writeProfile(path: string, profile: Profile): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(path, `${JSON.stringify(profile, null, 2)}\n`, { mode: 0o600 })
  // The mode above is for a new file only.
  chmodSync(path, 0o600)
}

export function removeProfile(path: string): void {
  rmSync(path, { force: true })
}
