// `npm run release -- X.Y.Z`: one version in all places, the changelog's heading, a commit and a tag. Publishes nothing.
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const HELP = `usage: npm run release -- X.Y.Z [--dry-run]

On main, with nothing uncommitted and with entries under "Unreleased" in CHANGELOG.md: sets the version everywhere, dates the
entries there and in the Python package's changelog, takes protobufs/ for published, commits that and tags it vX.Y.Z. Pushes and publishes nothing, and says what does; docs/releasing.md has the rest.

  --dry-run   checks, and says what would change`

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const CHANGELOG = 'CHANGELOG.md'
/** That of the Python package, which may have nothing new. */
const CHANGELOG_OF_PYTHON = 'clients/python/CHANGELOG.md'
const UNRELEASED = '## [Unreleased]\n'

/** The schema, and the copy of its last release, which `npm run test:schema` compares it with. */
const SCHEMA = { folder: 'protobufs', published: 'tools/schema/published' }

/** Places of the version; the first is where it stands, and the others follow it. */
const PLACES = [
  ['package.json', /^( {2}"version": ")[^"]+(",)$/m],
  ['package-lock.json', /^( {2}"version": ")[^"]+(",)$/m],
  ['package-lock.json', /^( {4}"": \{\n {6}"name": "[^"]+",\n {6}"version": ")[^"]+(",)$/m],
  ['docs/openapi.json', /^( {4}"version": ")[^"]+(",)$/m],
  ['clients/python/pyproject.toml', /^(version = ")[^"]+(")$/m],
  ['clients/cpp/CMakeLists.txt', /^(project\(mcbackend VERSION )\S+( )/m],
  ['clients/r/DESCRIPTION', /^(Version: )\S+()$/m],
]

function fail(sentence) {
  console.error(`release: ${sentence}.`)
  process.exit(1)
}

const git = (...args) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim()
const read = (file) => readFileSync(join(ROOT, file), 'utf8')

/** Numbers of a version; undefined for a text that is none. */
function numbersOf(version) {
  const found = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/.exec(version ?? '')
  return found?.slice(1).map(Number)
}

function isOlder(a, b) {
  const at = a.findIndex((number, i) => number !== b[i])
  return at !== -1 && a[at] < b[at]
}

function requireReleasable(version, present) {
  const numbers = numbersOf(version)
  if (numbers === undefined) fail(`"${version}" is no version X.Y.Z`)
  if (isOlder(numbers, numbersOf(present))) fail(`${version} is older than ${present}, which package.json has`)
  if (git('tag', '--list', `v${version}`) !== '') fail(`there is a tag v${version} already`)
  const branch = git('rev-parse', '--abbrev-ref', 'HEAD')
  if (branch !== 'main') fail(`releases are made on main, not on "${branch}"`)
  const changed = git('status', '--porcelain')
  if (changed !== '') fail(`these files are not committed:\n${changed}\nCommit or stash them`)
}

/** The text with a heading of this version between "Unreleased" and its entries; undefined where there are none. */
function datedChangelog(file, version) {
  const text = read(file)
  const at = text.indexOf(UNRELEASED)
  if (at === -1) fail(`${file} has no line "${UNRELEASED.trim()}"`)
  if (text.includes(`\n## [${version}]`) || text.includes(`\n## ${version}\n`))
    fail(`${file} tells of ${version} already`)
  const end = text.indexOf('\n## ', at + 1)
  const entries = text.slice(at + UNRELEASED.length, end === -1 ? undefined : end)
  if (!/^- /m.test(entries)) return undefined
  const heading = `\n## [${version}] - ${new Date().toISOString().slice(0, 10)}\n`
  return text.slice(0, at) + UNRELEASED + heading + text.slice(at + UNRELEASED.length)
}

/** Files of the schema, below its folder. */
const protosIn = (folder) => globSync('**/*.proto', { cwd: join(ROOT, folder) })

/** Published files of the schema that it has no more. */
function unpublished() {
  const present = new Set(protosIn(SCHEMA.folder))
  return protosIn(SCHEMA.published)
    .filter((file) => !present.has(file))
    .map((file) => join(SCHEMA.published, file))
}

/** New texts by file. */
function changesFor(version) {
  const dated = [CHANGELOG, CHANGELOG_OF_PYTHON].map((file) => [file, datedChangelog(file, version)])
  const texts = new Map(dated.filter(([, text]) => text !== undefined))
  if (!texts.has(CHANGELOG)) fail(`${CHANGELOG} has no entry under "Unreleased"; a release says what it brings`)
  for (const [file, pattern] of PLACES) {
    const text = texts.get(file) ?? read(file)
    if (!pattern.test(text)) fail(`${file} has no version where it is expected`)
    texts.set(file, text.replace(pattern, `$1${version}$2`))
  }
  for (const file of protosIn(SCHEMA.folder)) {
    const published = join(SCHEMA.published, file)
    const text = read(join(SCHEMA.folder, file))
    if (!existsSync(join(ROOT, published)) || read(published) !== text) texts.set(published, text)
  }
  return texts
}

const { values, positionals } = parseArgs({
  options: { help: { type: 'boolean', short: 'h' }, 'dry-run': { type: 'boolean' } },
  allowPositionals: true,
})
if (values.help || positionals.length !== 1) {
  console.log(HELP)
  process.exit(values.help ? 0 : 1)
}
const [version] = positionals
const { version: present } = JSON.parse(read('package.json'))
requireReleasable(version, present)
const changes = changesFor(version)
const gone = unpublished()
const tag = `v${version}`
if (values['dry-run']) {
  console.log(
    `${present} → ${version}, in ${[...changes.keys(), ...gone].join(', ')}; then a commit, and the tag ${tag}. Nothing was changed.`,
  )
  process.exit(0)
}
for (const [file, text] of changes) {
  mkdirSync(dirname(join(ROOT, file)), { recursive: true })
  writeFileSync(join(ROOT, file), text)
}
for (const file of gone) rmSync(join(ROOT, file))
git('add', ...changes.keys(), ...gone)
git('commit', '--quiet', '--message', `Release ${version}`)
git('tag', '--annotate', tag, '--message', `McBackend Edge ${version}`)
console.log(`Committed and tagged ${tag}. To publish it:

  git push origin main ${tag}
  npm run build
  npm run schema    # dist/mcbackend-edge-schema-${version}.tar.gz, a file of the release
  npm publish dist/mcbackend-edge-client-${version}.tgz
  npm publish dist/mcbackend-edge-${version}.tgz
  (cd clients/python && python -m build && python -m twine check --strict dist/mcbackend_edge-${version}*)
  (cd clients/python && python -m twine upload dist/mcbackend_edge-${version}*)

To take it back before that: git tag -d ${tag} && git reset --hard HEAD~1`)
