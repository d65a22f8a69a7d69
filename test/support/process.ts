/** The Node entry as a process of its own, on a free port and a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Api, apiOf } from '../http/api.ts'

const ENTRY = fileURLToPath(new URL('../../src/node.ts', import.meta.url))

export interface ServerProcess {
  readonly url: string
  readonly api: Api
  readonly process: ChildProcess
  /** The text that it has printed so far. */
  output(): string
  /** Sends a signal and waits for the end; its exit code, null when the signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface Finished {
  readonly code: number | null
  readonly output: string
}

function launch(env: { readonly [name: string]: string }, args: readonly string[] = []) {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    // A machine may have little space; the tests about that set a threshold.
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1', MCB_MIN_FREE_MIB: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output += text
    })
  }
  return { child, output: () => output }
}

/** Starts the server and waits until it listens. */
export async function startServer(env: { readonly [name: string]: string }): Promise<ServerProcess> {
  const { child, output } = launch(env)
  const url = await new Promise<string>((resolve, reject) => {
    const look = () => {
      const found = /listening on (http:\/\/\S+)/.exec(output())
      if (found?.[1] !== undefined) resolve(found[1])
    }
    child.stdout.on('data', look)
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${output()}`)))
  })
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
    return child.exitCode
  }
  return { url, api: apiOf((request) => fetch(request), url), process: child, output, stop }
}

/** Runs the server where it is expected to end by itself; one that listens instead is ended. */
export async function runServer(
  env: { readonly [name: string]: string },
  args: readonly string[] = [],
): Promise<Finished> {
  const { child, output } = launch(env, args)
  child.stdout.on('data', () => {
    if (output().includes('listening on')) child.kill('SIGKILL')
  })
  // `close` comes when all that was printed has arrived.
  const [code] = await once(child, 'close')
  return { code, output: output() }
}
