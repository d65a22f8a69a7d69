/** Programs of scripts/, run as people run them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Ended {
  readonly code: number | null
  readonly output: string
}

export function startScript(
  name: string,
  args: readonly string[],
  env: { readonly [name: string]: string } = {},
): ChildProcess {
  const path = fileURLToPath(new URL(`../../scripts/${name}.mjs`, import.meta.url))
  return spawn(process.execPath, [path, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

export async function runScript(...args: Parameters<typeof startScript>): Promise<Ended> {
  const child = startScript(...args)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const [code] = await once(child, 'close')
  return { code, output }
}
