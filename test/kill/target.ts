/** A server in processes of its own, which can be killed at any moment and started again on the same storage. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const TARGETS = ['node', 'worker'] as const
export type TargetName = (typeof TARGETS)[number]

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))

/** Command and environment of a target. */
function launch(target: TargetName, folder: string, port: number) {
  if (target === 'node') {
    const env = { PORT: String(port), HOST: '127.0.0.1', MCB_DATA_DIR: folder, MCB_LOG: 'quiet' }
    return { args: [path('src/node.ts')], env }
  }
  const options = ['--entry', path('src/worker.ts'), '--data', folder, '--port', String(port)]
  return { args: [path('bench/workerd/server.ts'), ...options], env: {} }
}

export class Target {
  readonly url: string
  private readonly name: TargetName
  private readonly folder: string
  private readonly port: number
  private child: ChildProcess | undefined

  private constructor(name: TargetName, folder: string, port: number) {
    this.name = name
    this.folder = folder
    this.port = port
    this.url = `http://127.0.0.1:${port}`
  }

  static async start(name: TargetName, folder: string): Promise<Target> {
    const target = new Target(name, folder, await freePort())
    await target.start()
    return target
  }

  async start(): Promise<void> {
    const { args, env } = launch(this.name, this.folder, this.port)
    // A process group of its own, so that workerd is killed with the process that started it.
    const child = spawn(process.execPath, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    this.child = child
    let said = ''
    child.stderr.on('data', (text) => {
      said = (said + text).slice(-4000)
    })
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.includes('listening on')) continue
      child.stdout.resume()
      return
    }
    throw new Error(`the ${this.name} target ended before it listened: ${said}`)
  }

  /** SIGKILL to every process of it. */
  async kill(): Promise<void> {
    await this.end('SIGKILL')
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM')
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this
    if (child?.pid === undefined) return
    this.child = undefined
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
    process.kill(-child.pid, signal)
    await ended
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
