/** The version stands in package.json, and all that name one name that. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createApp } from '../src/app.ts'
import { MemoryStore } from '../src/backends/memory.ts'
import { StoreBackend } from '../src/runs/backend.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string) => readFileSync(`${ROOT}/${file}`, 'utf8')
const { version }: { version: string } = JSON.parse(read('package.json'))

test('the server tells it, to programs and in its document', async () => {
  const backend = new StoreBackend(new MemoryStore())
  const app = createApp({ openBackend: () => backend })
  expect(await (await app.request('/healthz')).json()).toEqual({ status: 'ok', version })
  expect(await (await app.request('/openapi.json')).json()).toMatchObject({ info: { version } })
})

test.each([['src/node.ts'], ['bin/mcb.mjs']])('%s --version prints it', (entry) => {
  const printed = execFileSync(process.execPath, [entry, '--version'], { cwd: ROOT, encoding: 'utf8' })
  expect(printed).toBe(`${version}\n`)
})

test('the lock, and the clients in other languages, have the same', () => {
  const lock: { version: string; packages: { '': { version: string } } } = JSON.parse(read('package-lock.json'))
  expect([lock.version, lock.packages[''].version]).toEqual([version, version])
  expect(read('clients/python/pyproject.toml')).toContain(`\nversion = "${version}"\n`)
  expect(read('clients/cpp/CMakeLists.txt')).toContain(`project(mcbackend VERSION ${version} `)
  expect(read('clients/r/DESCRIPTION')).toContain(`\nVersion: ${version}\n`)
})
