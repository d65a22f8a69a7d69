/** A server of this checkout, on loopback, with its data in a folder that goes with it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface Server {
  readonly url: string
  /** The operator's token, where there are keys. */
  readonly operatorToken: string
  /** Output so far, without its lines of requests. */
  readonly said: () => string
  readonly stop: () => Promise<void>
}

export async function startServer(auth: 'open' | 'keys'): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'mcb-openapi-'))
  const operatorToken = randomBytes(24).toString('hex')
  const child = spawn(process.execPath, ['src/node.ts'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PORT: '0',
      HOST: '127.0.0.1',
      MCB_STORAGE: 'sqlite',
      MCB_DATA_DIR: folder,
      MCB_LOG: 'quiet',
      MCB_AUTH: auth,
      ...(auth === 'keys' && { MCB_OPERATOR_TOKEN: operatorToken }),
    },
  })
  process.once('exit', () => child.kill())
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const url = await addressOf(child)
  if (url === undefined) throw new Error(`the server did not start: ${errors}`)
  const stop = async () => {
    const ended = once(child, 'exit')
    child.kill()
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  return { url, operatorToken, said: () => errors, stop }
}

async function addressOf({ stdout }: ChildProcess): Promise<string | undefined> {
  if (stdout === null) return undefined
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const lines = createInterface({ input: stdout })
  lines.on('line', (line) => {
    const url = /listening on (http\S+)/.exec(line)?.[1]
    if (url !== undefined) resolve(url)
  })
  lines.once('close', () => resolve(undefined))
  return promise
}
