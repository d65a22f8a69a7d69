/** Programs of stores: where they are, starting them on a free port, and ending them by their process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { MissingError } from './contestant.ts'

const HOST = '127.0.0.1'
/** Some import a large part of Python before they listen. */
const START_MS = 90_000
const END_MS = 20_000
const LOOK_MS = 50

/**
 * A program by the path in an environment variable, in PATH, or in one of `folders`.
 *
 * @throws MissingError with `install`, the way to get it
 */
export function programAt(name: string, variable: string, install: string, folders: readonly string[] = []): string {
  const given = process.env[variable]
  const places = [...(process.env.PATH ?? '').split(delimiter), ...folders].map((folder) => join(folder, name))
  const found = (given === undefined ? places : [given]).find(isExecutable)
  if (found !== undefined) return found
  const where = given === undefined ? 'is not in PATH' : `is not at ${given}`
  throw new MissingError(`${name} ${where}; ${install}, or set ${variable} to its path`)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Folders of Debian's versions of PostgreSQL, newest first. */
export function postgresFolders(): string[] {
  const root = '/usr/lib/postgresql'
  try {
    return readdirSync(root)
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(root, version, 'bin'))
  } catch {
    return []
  }
}

/** A user of the system, for programs that refuse to be root. */
export interface User {
  readonly uid: number
  readonly gid: number
}

/** The first of these users that the system has. */
export function userNamed(...names: readonly string[]): User | undefined {
  const lines = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  for (const name of names) {
    const [, , uid, gid] = lines.find(([first]) => first === name) ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  return undefined
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, HOST)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (typeof address !== 'object' || address === null) throw new Error('no port is free')
  return address.port
}

export interface Program {
  readonly url: URL
  readonly pid: number
}

/** Ends of the programs that were started. */
const ends: (() => Promise<void>)[] = []

/** Ends all programs that were started here. */
export async function endPrograms(): Promise<void> {
  for (const end of ends.splice(0)) await end()
}

export interface ProgramOptions {
  readonly port: number
  readonly cwd: string
  readonly user?: User | undefined
  /** The signal that asks it to end. */
  readonly signal?: 'SIGTERM' | 'SIGINT'
  readonly env?: Readonly<Record<string, string>>
}

/** Starts a program, with the processes that it starts as a group of their own, and waits until it listens on its port. */
export async function startProgram(
  path: string,
  args: readonly string[],
  { port, cwd, user, signal = 'SIGTERM', env = {} }: ProgramOptions,
): Promise<Program> {
  const stdio = ['ignore', 'pipe', 'pipe'] as const
  const child = spawn(path, args, { cwd, stdio: [...stdio], detached: true, env: { ...process.env, ...env }, ...user })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      said = `${said}${chunk}`.slice(-2000)
    })
  }
  const { pid } = child
  if (pid === undefined) throw new Error(`${path} did not start`)
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  ends.push(() => endGroup(pid, signal))
  const latest = performance.now() + START_MS
  while (!(await listensOn(port))) {
    if (hasEnded() || performance.now() > latest) throw new Error(`${path} does not listen on port ${port}:\n${said}`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  return { url: new URL(`http://${HOST}:${port}`), pid }
}

/** Ends a program and all that it has started; processes that stay are killed. */
async function endGroup(pid: number, signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
  const latest = performance.now() + END_MS
  for (let isThere = sendTo(pid, signal); isThere; isThere = sendTo(pid, performance.now() > latest ? 'SIGKILL' : 0)) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

/** Sends a signal to a group of processes; 0 sends none. @returns false where the group has ended */
function sendTo(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal)
  } catch {
    return false
  }
}

async function listensOn(port: number): Promise<boolean> {
  const socket = connect(port, HOST)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
