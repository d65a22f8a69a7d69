/** Generated files are up to date: the code of the messages, and the migrations of the tables. */
import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { newFolder, removeFolder } from './support/storage.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const folder = newFolder()
afterAll(() => removeFolder(folder))

test('src/core/generated is what protobufs/ gives', () => {
  execFileSync(process.execPath, ['scripts/generate.mjs', folder], { cwd: ROOT, stdio: 'pipe' })
  for (const file of ['messages.js', 'messages.d.ts']) {
    const made = readFileSync(join(folder, file), 'utf8')
    const committed = readFileSync(join(ROOT, 'src/core/generated', file), 'utf8')
    expect(made === committed, `${file} is out of date: run npm run generate`).toBe(true)
  }
})

test('the generated code has no eval', () => {
  const code = readFileSync(join(ROOT, 'src/core/generated/messages.js'), 'utf8')
  expect(code).not.toMatch(/\beval\(|new Function/)
})

const CONFIGS = readdirSync(ROOT).filter((file) => /^drizzle.*\.ts$/.test(file))

test.each(CONFIGS)('the migrations of %s are what the tables need', async (file) => {
  const { default: config } = await import(join(ROOT, file))
  const out = join(folder, file)
  cpSync(join(ROOT, config.out), out, { recursive: true })
  const before = readdirSync(out, { recursive: true }).sort()
  expect(before.some((name) => String(name).endsWith('.sql'))).toBe(true)
  const copy = join(folder, `${file}.json`)
  writeFileSync(copy, JSON.stringify({ ...config, out: relative(ROOT, out) }))
  const bin = join(ROOT, 'node_modules/drizzle-kit/bin.cjs')
  execFileSync(process.execPath, [bin, 'generate', `--config=${copy}`], { cwd: ROOT, stdio: 'pipe' })
  expect(readdirSync(out, { recursive: true }).sort(), 'run npm run migrations').toEqual(before)
})

test.each(['migrations.ts', 'catalogue-migrations.ts'])(
  '%s, which objects carry, is what migrations/ gives',
  (file) => {
    const args = ['scripts/migrations.mjs', '--bundle-only', folder]
    execFileSync(process.execPath, args, { cwd: ROOT, stdio: 'pipe' })
    const made = readFileSync(join(folder, file), 'utf8')
    const committed = readFileSync(join(ROOT, 'src/backends/durable/generated', file), 'utf8')
    expect(made === committed, `${file} is out of date: run npm run migrations`).toBe(true)
  },
)
