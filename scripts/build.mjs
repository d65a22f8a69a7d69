// `npm run build`: the packages of packages/, compiled into dist/ and packed beside it.
import { spawnSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const HELP = `usage: npm run build [-- NAME …]   NAME: client, server   [both]

Compiles the packages into dist/NAME, and packs each into dist/PACKAGE-VERSION.tgz, which "npm install FILE" takes.`

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const { version, dependencies } = readJson('package.json')

/** The page, which is built already: nothing in it is rewritten, nor asked for what it imports. */
const PAGE = 'dist/page'
/** Files that a package has beside what is compiled, by name or pattern. */
const FILES = {
  client: ['src/core/generated/messages.{js,d.ts}'],
  server: [
    'src/core/generated/messages.js',
    'bin/*.mjs',
    'scripts/{backup,restore,verify,restore-drill,clickhouse-migrate}.mjs',
    'deploy/*',
    'migrations/{*.sql,meta/_journal.json,clickhouse/*.sql}',
    `${PAGE}/ui/**/*.*`,
  ],
}
/** Folder of this checkout whose files lie in the package's folder of that name. */
const PLACES = { client: ['src', 'dist'], server: ['', ''] }
/** Packages that the built programs need although no file imports them. */
const NOT_IMPORTED = { client: [], server: ['node'] }

function readJson(path) {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'))
}

function run(command, args, options = {}) {
  const { status, stdout, error } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', ...options })
  if (error) fail(`${command} cannot be started (${error.message})`)
  if (status !== 0) {
    if (typeof stdout === 'string') console.error(stdout.trim())
    fail(`${[command, ...args].join(' ')} failed; it says why above`)
  }
  return stdout
}

function fail(sentence) {
  console.error(`build: ${sentence}.`)
  process.exit(1)
}

/** tsc rewrites imports in code; these are left: addresses of modules, what is no TypeScript, and declarations. */
function nameCompiled(file) {
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replaceAll(/(['"])(\.{1,2}\/[^'"\n]*)\.ts\1/g, '$1$2.js$1'))
}

/** Packages that the files of a package import, with the versions of this checkout. */
function dependenciesOf(name, folder) {
  // `long` comes with protobufjs, and the declarations of messages name it.
  const known = { ...readJson('node_modules/protobufjs/package.json').dependencies, ...dependencies }
  const found = new Set(NOT_IMPORTED[name])
  for (const file of compiledIn(folder)) {
    const text = readFileSync(join(folder, file), 'utf8')
    for (const [, module] of text.matchAll(/\b(?:from|import|require\(|import\() ?['"]([^'".][^'"]*)['"]/g)) {
      if (module.startsWith('node:')) continue
      found.add(/^(@[^/]+\/)?[^/]+/.exec(module)[0])
    }
  }
  const unknown = [...found].filter((module) => known[module] === undefined)
  if (unknown.length > 0) fail(`package.json has no version of ${unknown.join(', ')}, which the ${name} imports`)
  return Object.fromEntries([...found].sort().map((module) => [module, known[module]]))
}

/** Code of a package that was compiled here. */
function compiledIn(folder) {
  return globSync('**/*.{js,mjs,d.ts}', { cwd: folder, exclude: [`${PAGE}/**`] })
}

function build(name) {
  if (name === 'server') run(process.execPath, ['scripts/page.mjs'], { stdio: 'inherit' })
  const folder = join(ROOT, 'dist', name)
  rmSync(folder, { recursive: true, force: true })
  const [from, to] = PLACES[name]
  for (const file of FILES[name].flatMap((pattern) => globSync(pattern, { cwd: ROOT }))) {
    const target = join(folder, to, file.slice(from === '' ? 0 : from.length + 1))
    mkdirSync(dirname(target), { recursive: true })
    cpSync(join(ROOT, file), target)
  }
  run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', `packages/${name}`])
  for (const file of compiledIn(folder)) nameCompiled(join(folder, file))
  for (const file of ['LICENSE', 'CHANGELOG.md', `packages/${name}/README.md`]) {
    cpSync(join(ROOT, file), join(folder, file.split('/').at(-1)))
  }
  const { name: packageName, ...rest } = readJson(`packages/${name}/package.json`)
  const packageFile = { name: packageName, version, ...rest, dependencies: dependenciesOf(name, folder) }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(packageFile, null, 2)}\n`)
  const told = run('npm', ['pack', '--json', '--pack-destination', '..'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [packed] = JSON.parse(told)
  console.log(`dist/${packed.filename}: ${packed.entryCount} files, ${(packed.size / 1024).toFixed(0)} KiB`)
}

const { values, positionals } = parseArgs({
  options: { help: { type: 'boolean', short: 'h' } },
  allowPositionals: true,
})
const names = positionals.length === 0 ? Object.keys(PLACES) : positionals
const unknown = names.find((name) => PLACES[name] === undefined)
if (values.help) console.log(HELP)
else if (unknown !== undefined) fail(`there is no package "${unknown}"; --help lists those there are`)
else names.forEach(build)
