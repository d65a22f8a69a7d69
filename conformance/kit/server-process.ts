/** A server of this checkout for the kit: SQLite in a folder of its own, on a free port. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const ENTRY = resolve(import.meta.dirname, '../../src/node.ts')

export interface ServerProcess {
  readonly url: string
  stop(): Promise<void>
}

/** Starts it, and waits until it is ready. */
export async function startServer(): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'mcb-conform-'))
  const own = { HOST: '127.0.0.1', PORT: '0', MCB_DATA_DIR: folder, MCB_STORAGE: 'sqlite', MCB_AUTH: 'open' }
  const child = spawn(process.execPath, [ENTRY], {
    env: { ...process.env, ...own, MCB_LOG: 'quiet', MCB_MIN_FREE_MIB: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'close')
  let said = ''
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill()
    await exited
    rmSync(folder, { recursive: true, force: true })
  }
  const url = await new Promise<string>((found, failed) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text
        const [, address] = /listening on (http:\/\/\S+)/.exec(said) ?? []
        if (address !== undefined) found(address)
      })
    }
    child.once('close', (code) => failed(new Error(`the server ended with ${code}: ${said}`)))
  }).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  await untilReady(url)
  return { url, stop }
}

/** Milliseconds that a server may take to open its storage. */
const START_MS = 60_000

async function untilReady(url: string): Promise<void> {
  const end = Date.now() + START_MS
  for (;;) {
    const isReady = await fetch(`${url}/readyz`).then(({ ok }) => ok)
    if (isReady) return
    if (Date.now() > end) throw new Error(`the server at ${url} is not ready after ${START_MS / 1000} s`)
    await new Promise((wait) => setTimeout(wait, 50))
  }
}
