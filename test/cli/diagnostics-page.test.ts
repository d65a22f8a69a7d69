/** The lines of docs/diagnostics.md that ask a server, as they stand. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HttpBackend } from '../../src/client/index.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { openServer, type TestServer } from './served.ts'

const PAGE = readFileSync(fileURLToPath(new URL('../../docs/diagnostics.md', import.meta.url)), 'utf8')
const MCB = fileURLToPath(new URL('../../bin/mcb.mjs', import.meta.url))
const CLIENT = new URL('../../src/client/index.ts', import.meta.url).href

let folder: string
let server: TestServer

beforeAll(async () => {
  folder = newFolder()
  server = await openServer()
  const run = await new HttpBackend({ url: server.url }).initRun({
    rid: 'my-run',
    variables: [{ name: 'mu', dtype: 'float64' }],
  })
  for (const number of [0, 1]) {
    const data = Float64Array.from({ length: 200 }, (_, i) => Math.sin(i * 12.9898 + number * 78.233))
    const chain = await run.initChain(number)
    await chain.appendBatch({ count: 200, draws: new Map([['mu', { dtype: 'float64', shape: [200], data }]]) })
  }
})
afterAll(async () => {
  await server.close()
  removeFolder(folder)
})

/** The first block of a language, about the server of this test. */
function blockOf(language: string): string {
  const block = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(PAGE)?.[1] ?? ''
  expect(block).toContain('http://127.0.0.1:8787')
  return block.replaceAll('http://127.0.0.1:8787', server.url)
}

async function printedBy(program: string, args: readonly string[]): Promise<string> {
  const { MCB_TOKEN: _, ...env } = process.env
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...env, MCB_PROFILE: join(folder, 'profile.json') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  const [code] = await once(child, 'close')
  expect([code, said.err]).toEqual([0, ''])
  return said.out
}

test('those of the shell', async () => {
  const lines = blockOf('sh').trim().replaceAll('npx mcb', `"${process.execPath}" "${MCB}"`)
  const last = lines.lastIndexOf('\n')
  // The exit code of the last one is the run's status.
  const out = await printedBy('sh', ['-ec', `${lines.slice(0, last)}\nset +e${lines.slice(last)}\ntrue`])
  expect(out).toContain('"label":"mu"')
  expect(out).toContain('"check":"rhat"')
  expect(out).toMatch(/^mu +-?\d/m)
  expect(out).toMatch(/^\w+ +rhat +/m)
  expect(readFileSync(join(folder, 'summary.csv'), 'utf8')).toMatch(/^variable,index,label,mean,.*\r\nmu,/)
})

test('those of the client', async () => {
  const file = join(folder, 'page.mts')
  writeFileSync(file, blockOf('ts').replace("'mcbackend-edge-client'", JSON.stringify(CLIENT)))
  const out = await printedBy(process.execPath, [file])
  expect(out).toMatch(/^mu -?\d/)
  expect(out).toContain('200')
})
