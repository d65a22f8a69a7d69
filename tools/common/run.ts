/** Commands of others. */
import { spawn } from 'node:child_process'

export interface RunOptions {
  readonly cwd?: string
  /** Variables beside those of this process. */
  readonly env?: { readonly [name: string]: string }
  /** Time at which its output is shown; at once when absent. */
  readonly output?: 'at its end' | 'when it fails'
}

/** Runs a command to its end. @throws Error when it fails */
export async function run([program = '', ...args]: readonly string[], options: RunOptions = {}): Promise<void> {
  const stdio = options.output === undefined ? 'inherit' : 'pipe'
  const child = spawn(program, args, {
    stdio: ['ignore', stdio, stdio],
    env: { ...process.env, ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  })
  const kill = () => child.kill()
  process.once('exit', kill)
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
  }
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('close', resolve)
  const status = await promise
  process.off('exit', kill)
  if (status === 0 && options.output === 'at its end') console.log(printed)
  if (status !== 0) throw new Error(`${[program, ...args].join(' ')} failed\n${printed}`)
}
