/** A server of its own for an example: started on a free port, stopped at the end, its data thrown away. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface ExampleServer extends AsyncDisposable {
  readonly url: string
}

const ENTRY = fileURLToPath(new URL('../src/node.ts', import.meta.url))
const READY = /listening on (http:\/\/\S+?)[\s,)]/

export async function startServer(): Promise<ExampleServer> {
  const folder = mkdtempSync(join(tmpdir(), 'mcbackend-demo-'))
  const server = spawn(process.execPath, [ENTRY], {
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1', MCB_DATA_DIR: folder, MCB_LOG: 'quiet' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const cleanUp = () => {
    server.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  // Without a handler a signal would end this process and leave the server.
  const onSignal = () => process.exit(130)
  process.once('exit', cleanUp)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal)
  const stop = async () => {
    server.kill('SIGTERM')
    await ended
    cleanUp()
    process.off('exit', cleanUp)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal)
  }
  try {
    return { url: await readyUrl(server.stdout, ended), [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function readyUrl(output: NodeJS.ReadableStream, ended: Promise<void>): Promise<string> {
  let text = ''
  const ready = new Promise<string>((resolve) => {
    output.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const url = READY.exec(text)?.[1]
      if (url !== undefined) resolve(url)
    })
  })
  const failed = ended.then(() => {
    throw new Error(`the server has ended before it was ready: ${text.trim()}`)
  })
  return Promise.race([ready, failed])
}
