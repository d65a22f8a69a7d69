/** Starting and watching a server in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'

export interface Started {
  readonly url: URL
  /** Its data. */
  readonly folder: string
  /** The process that serves. */
  readonly pid: number
  stop(): Promise<void>
}

/** A server whose folder is another's concern. */
export interface Launched {
  readonly url: URL
  /** The process that serves. */
  readonly pid: number
  /** Resolves when the process that was started has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** Starts a command that prints its address. */
export async function launch(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Launched> {
  const [program = process.execPath, ...args] = command
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  const { url, pid = child.pid } = await ready(child)
  if (pid === undefined) throw new Error(`${program} did not start`)
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  return { url, pid, end }
}

/**
 * Starts a command that prints its address, with a fresh folder of the repository's disk: in its environment where `env` says
 * how, else as its last argument.
 */
export async function start(
  command: readonly string[],
  env?: (folder: string) => Readonly<Record<string, string>>,
): Promise<Started> {
  const folder = mkdtempSync('data-bench-')
  const { url, pid, end } = await launch(env === undefined ? [...command, folder] : command, env?.(folder))
  const stop = async () => {
    await end('SIGTERM')
    rmSync(folder, { recursive: true, force: true })
  }
  return { url, pid, folder, stop }
}

/** Address of the server, and the process that serves where that is another one than was started. */
async function ready(child: ChildProcess): Promise<{ readonly url: URL; readonly pid?: number }> {
  if (child.stdout === null) throw new Error('the server has no output')
  for await (const line of createInterface({ input: child.stdout })) {
    const [, url, pid] = /(http:\/\/\S+)(?: \(workerd pid (\d+)\))?/.exec(line) ?? []
    if (url !== undefined) return { url: new URL(url), ...(pid !== undefined && { pid: Number(pid) }) }
  }
  throw new Error('the server ended before it was ready')
}

/** Resident memory of a process in MiB. */
export function residentMiB(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib) / 1024
}

/** CPU time that a process has used, all threads, in milliseconds; in steps of 10. */
export function cpuMs(pid: number): number {
  // The name in parentheses may hold spaces; utime and stime are fields 14 and 15, in hundredths of a second.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** The highest resident memory while `work` runs, in MiB above what it was before. */
export async function peakAbove(pid: number, work: () => Promise<void>): Promise<number> {
  const idle = residentMiB(pid)
  let peak = idle
  const timer = setInterval(() => {
    peak = Math.max(peak, residentMiB(pid))
  }, 20)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  return Math.max(peak, residentMiB(pid)) - idle
}
