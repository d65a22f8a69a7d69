/** The arguments of `npm run conform`, and its help. */
import { parseArgs } from 'node:util'
import type { AskedServer } from './server/settings.ts'
import { SERVER_TOPICS } from './server/topics.ts'
import type { KitSettings } from './settings.ts'
import { CLIENT_TOPICS } from './topics.ts'

export const HELP = `usage: npm run conform -- --driver COMMAND [option…]
       npm run conform -- --server URL [--token KEY] [--only TOPIC]… [--scale F]

Tests a client of this project's API, in any language, behind a driver: a program that reads commands as lines of JSON and
answers them (conformance/drivers/README.md). Without --url a server of this checkout is started, with a folder of its own.
With --server, any server that says it has this API is held against the contract (docs/protocol.md), over plain HTTP. The
tests leave nothing behind there; what the contract adds in later sections is skipped where the server lacks it.

  --driver COMMAND   command line that starts the driver, for the shell
  --server URL       address of the server to test, in place of a client
  --url URL          address of a server to use
  --token KEY        key for it that may read, write and delete
  --faults P         probability, 0 to 1, of a fault for each request of the suite: connections that break before the server
                     has it, after it, and in the middle of the answer; 408, 429, 502, 503, 504; a proxy's page   [0]
  --only TOPIC       this topic; may be given several times   [all]
  --grep TEXT        tests alone whose names have this text
  --seed N           seed of faults and of random tests   [1]
  --scale F          factor for numbers of rounds and cases; 1 takes minutes   [0.1]
  --patience S       seconds that the driver may take for an answer   [60]
  --help             this text

topics of clients: ${CLIENT_TOPICS.join(', ')}
topics of servers: ${SERVER_TOPICS.join(', ')}

It ends with "N passed, N failed, N skipped". The exit code is 1 when something failed, and 2 when it was called wrongly.
example: npm run conform -- --driver 'node conformance/drivers/typescript.ts' --faults 0.3`

/** Settings that were asked for, without the address of a server that is still to be started. */
export type Asked = Omit<KitSettings, 'url' | 'injected'> & {
  readonly url?: string | undefined
  /** Text in the names of tests that were asked for. */
  readonly grep?: string | undefined
}

/** Bad usage, in a sentence. */
export class UsageError extends Error {}

const OPTIONS = {
  driver: { type: 'string' },
  server: { type: 'string' },
  url: { type: 'string' },
  token: { type: 'string' },
  faults: { type: 'string', default: '0' },
  grep: { type: 'string' },
  only: { type: 'string', multiple: true, default: [] },
  seed: { type: 'string', default: '1' },
  scale: { type: 'string', default: '0.1' },
  patience: { type: 'string', default: '60' },
  help: { type: 'boolean', short: 'h', default: false },
} satisfies NonNullable<Parameters<typeof parseArgs>[0]>['options']

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function numberBetween(name: string, text: string, least: number, most: number): number {
  const number = Number(text)
  if (text.trim() !== '' && number >= least && number <= most) return number
  throw new UsageError(`--${name} is a number from ${least} to ${most}, not "${text}"`)
}

function addressOf(name: string, url: string): string {
  if (URL.canParse(url) && /^https?:/.test(url)) return url.replace(/\/+$/, '')
  throw new UsageError(`--${name} is an address such as http://127.0.0.1:8787, not "${url}"`)
}

function expectTopics(only: readonly string[], topics: readonly string[]): void {
  const unknown = only.filter((topic) => !topics.includes(topic))
  if (unknown.length === 0) return
  throw new UsageError(`there is no topic ${unknown.join(', ')}; there are: ${topics.join(', ')}`)
}

/** Settings, or undefined where help was asked for. @throws UsageError */
export function readArguments(args: readonly string[]): Asked | AskedServer | undefined {
  const { driver, server, url, token, faults, only, grep, seed, scale, patience, help } = parse(args)
  if (help) return undefined
  if (server !== undefined) {
    if (driver !== undefined || url !== undefined) throw new UsageError('--server goes without --driver and --url')
    expectTopics(only, SERVER_TOPICS)
    const every = Math.max(1, Math.round(0.5 / numberBetween('scale', scale, 0.01, 1)))
    return { server: addressOf('server', server), token, only, every }
  }
  if (driver === undefined || driver.trim() === '') throw new UsageError('--driver COMMAND or --server URL is missing')
  expectTopics(only, CLIENT_TOPICS)
  return {
    driver,
    url: url === undefined ? undefined : addressOf('url', url),
    token,
    only,
    grep,
    faults: numberBetween('faults', faults, 0, 0.9),
    seed: Math.round(numberBetween('seed', seed, 0, 2 ** 31 - 1)),
    scale: numberBetween('scale', scale, 0.01, 1),
    patience: numberBetween('patience', patience, 1, 3600),
  }
}
