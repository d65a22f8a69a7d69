/** `npm run release` in a repository of its own, with this checkout's files. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newFolder, removeFolder } from './support/storage.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PYTHON = 'clients/python/pyproject.toml'
const CHANGELOGS = ['CHANGELOG.md', 'clients/python/CHANGELOG.md'] as const
/** The clients in C++ and R. */
const CPP = 'clients/cpp/CMakeLists.txt'
const R = 'clients/r/DESCRIPTION'
const DOCUMENT = 'docs/openapi.json'
const SCHEMA = 'protobufs/draws.proto'
const PUBLISHED = 'tools/schema/published'
const FILES = ['package.json', 'package-lock.json', PYTHON, CPP, R, DOCUMENT, 'scripts/release.mjs']
const ENTRIES = '## [Unreleased]\n\n### Added\n\n- Something.\n\n## [0.0.1] - 2026-01-01\n\n- The first.\n\n## 7.0.0\n'

let folder: string
beforeEach(() => {
  folder = newFolder()
  for (const file of FILES) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(ROOT, file), join(folder, file))
  }
  for (const path of ['protobufs', PUBLISHED]) cpSync(join(ROOT, 'protobufs'), join(folder, path), { recursive: true })
  for (const file of CHANGELOGS) write(file, `# Changelog\n\n${ENTRIES}`)
  git('init', '--quiet', '--initial-branch=main')
  git('config', 'user.name', 'tester')
  git('config', 'user.email', 'tester@example.org')
  git('add', '.')
  git('commit', '--quiet', '--message', 'all')
})
afterEach(() => removeFolder(folder))

const read = (file: string) => readFileSync(join(folder, file), 'utf8')
const write = (file: string, text: string) => writeFileSync(join(folder, file), text)
/** Without what a developer has set for all repositories, as signatures. */
const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }
const git = (...args: string[]) => execFileSync('git', args, { cwd: folder, env, encoding: 'utf8' }).trim()

function release(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/release.mjs', ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

test('a release is one version in all places, a date, a commit and a tag', () => {
  const { status, stdout } = release('7.8.9')
  expect(status).toBe(0)
  expect(stdout).toContain('git push origin main v7.8.9')
  expect(JSON.parse(read('package.json'))).toMatchObject({ version: '7.8.9' })
  expect(JSON.parse(read('package-lock.json'))).toMatchObject({
    version: '7.8.9',
    packages: { '': { version: '7.8.9' } },
  })
  expect(JSON.parse(read(DOCUMENT))).toMatchObject({ info: { version: '7.8.9' } })
  expect(read(PYTHON)).toContain('\nversion = "7.8.9"\n')
  expect(read(CPP)).toContain('project(mcbackend VERSION 7.8.9 ')
  expect(read(R)).toContain('\nVersion: 7.8.9\n')
  const today = new Date().toISOString().slice(0, 10)
  for (const file of CHANGELOGS) {
    expect(read(file)).toContain(`## [Unreleased]\n\n## [7.8.9] - ${today}\n\n### Added\n\n- Something.\n\n## [0.0.1]`)
  }
  expect(git('log', '-1', '--format=%s')).toBe('Release 7.8.9')
  expect(git('rev-parse', 'v7.8.9^{commit}')).toBe(git('rev-parse', 'HEAD'))
  expect(git('status', '--porcelain')).toBe('')
  // Versions, and nothing else.
  expect(git('diff', '--shortstat', 'HEAD~1', 'HEAD', '--', ...FILES)).toContain('7 insertions(+), 7 deletions(-)')
})

test('the version that package.json has is released when it has no tag', () => {
  const { version }: { version: string } = JSON.parse(read('package.json'))
  expect(release(version).status).toBe(0)
  expect(git('tag')).toBe(`v${version}`)
  write('CHANGELOG.md', read('CHANGELOG.md').replace('## [Unreleased]\n', '## [Unreleased]\n\n- More.\n'))
  git('commit', '--quiet', '--all', '--message', 'more')
  expect(release(version)).toMatchObject({ status: 1, stderr: `release: there is a tag v${version} already.\n` })
})

test('a release publishes the schema, for later ones to be compared with', () => {
  write(SCHEMA, `${read(SCHEMA)}\n// One more comment.\n`)
  mkdirSync(join(folder, 'protobufs/more'))
  write('protobufs/more/new.proto', 'syntax = "proto3";\n')
  git('rm', '--quiet', 'protobufs/meta.proto')
  git('add', '.')
  git('commit', '--quiet', '--message', 'schema')
  expect(release('7.8.9', '--dry-run').stdout).toContain(`${PUBLISHED}/draws.proto`)
  expect(release('7.8.9').status).toBe(0)
  const copy = (file: string) => git('show', `v7.8.9:${PUBLISHED}/${file}`)
  expect(copy('draws.proto')).toBe(read(SCHEMA).trim())
  expect(copy('more/new.proto')).toBe('syntax = "proto3";')
  expect(git('ls-files', `${PUBLISHED}/meta.proto`), 'a file that the schema has no more').toBe('')
  expect(git('diff', '--name-only', 'HEAD~1', 'HEAD', '--', PUBLISHED).split('\n')).toHaveLength(3)
  expect(git('status', '--porcelain')).toBe('')
})

test('a release that brings nothing to the Python package leaves its changelog', () => {
  tellNothing(CHANGELOGS[1])
  const before = read(CHANGELOGS[1])
  expect(release('7.8.9').status).toBe(0)
  expect(read(CHANGELOGS[1])).toBe(before)
})

test('a dry run changes nothing', () => {
  expect(release('7.8.9', '--dry-run')).toMatchObject({ status: 0, stdout: expect.stringContaining('→ 7.8.9') })
  expect([git('status', '--porcelain'), git('tag'), git('rev-list', '--count', 'HEAD')]).toEqual(['', '', '1'])
})

test.each([
  ['no version', () => {}, ['7.8'], 'is no version X.Y.Z'],
  ['an older one', () => {}, ['0.0.9'], 'is older than'],
  ['a file that is not committed', () => write('new', 'x'), ['7.8.9'], 'not committed'],
  ['another branch', () => git('switch', '--quiet', '--create', 'work'), ['7.8.9'], 'not on "work"'],
  ['one of the changelog', () => {}, ['7.0.0'], 'tells of 7.0.0 already'],
  ['nothing to tell', () => tellNothing(CHANGELOGS[0]), ['7.8.9'], 'has no entry under "Unreleased"'],
])('refused: %s', (_what, change, args, message) => {
  change()
  const head = git('rev-parse', 'HEAD')
  const { status, stderr } = release(...args)
  expect([status, stderr]).toEqual([1, expect.stringContaining(message)])
  expect([git('tag'), git('rev-parse', 'HEAD')]).toEqual(['', head])
})

function tellNothing(file: string): void {
  write(file, read(file).replace('### Added\n\n- Something.\n\n', ''))
  git('commit', '--quiet', '--all', '--message', 'nothing')
}
