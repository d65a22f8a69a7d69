// `npm run page`: builds the page of web/ into dist/page, when it is missing or older than its sources, for Node, packages and
// Cloudflare. Nothing of it needs a network.
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, stripVTControlCharacters } from 'node:util'
import { brotliCompressSync, gzipSync } from 'node:zlib'

const HELP = `usage: npm run page [-- --start] [--to FOLDER]

Builds the page, when it is missing or older than its sources.

  --to FOLDER   where to                                        [dist/page]
  --start       for who starts a server: says nothing when there is nothing to do, and a page that cannot be built is told,
                but is no failure, since the API works without it`

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** All that the page is made of. */
const SOURCES = [
  'web/**/*',
  'src/core/**/*',
  'src/client/events.ts',
  'src/http/{headers,page-headers,page-policy}.ts',
  'scripts/page.mjs',
  'package-lock.json',
]
/** Name of the file that holds the digest of what a page was built from. */
const BUILT_FROM = '.built-from'
/** The part of a file's length that compressing must save. */
const WORTHWHILE = 0.05
/** Tries to put the page into its place, where others do the same. */
const TRIES = 20

function digestOfSources() {
  const hash = createHash('sha256')
  const files = globSync(SOURCES, { cwd: ROOT }).filter((file) => statSync(join(ROOT, file)).isFile())
  for (const file of files.sort())
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(ROOT, file)))
      .update('\0')
  return hash.digest('hex')
}

function isBuiltFrom(page, digest) {
  try {
    return readFileSync(join(page, BUILT_FROM), 'utf8') === digest
  } catch {
    return false
  }
}

/** Builds into a folder of its own, which then takes the place of the last one: others may build or read meanwhile. */
async function build(page, digest) {
  mkdirSync(dirname(page), { recursive: true })
  const folder = mkdtempSync(join(dirname(page), '.page-'))
  try {
    const made = join(folder, 'page')
    await bundle(join(made, 'ui'))
    compress(join(made, 'ui'))
    await tellCloudflare(made)
    writeFileSync(join(made, BUILT_FROM), digest)
    const described = describe(made)
    replace(page, made, join(folder, 'last'))
    return described
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function bundle(outDir) {
  process.env.NODE_ENV = 'production'
  const { build } = await import('vite')
  await build({
    configFile: join(ROOT, 'web/vite.config.ts'),
    // Node reads it as it is, so that nothing is written beside it.
    configLoader: 'native',
    mode: 'production',
    logLevel: 'warn',
    build: { outDir, emptyOutDir: true },
  })
}

/** Puts each file beside itself in the codings that browsers take, where that saves something. */
function compress(folder) {
  for (const file of globSync('**/*', { cwd: folder })) {
    const path = join(folder, file)
    if (!statSync(path).isFile()) continue
    const bytes = readFileSync(path)
    for (const [end, coded] of [
      ['.br', brotliCompressSync(bytes)],
      ['.gz', gzipSync(bytes, { level: 9 })],
    ]) {
      if (coded.length <= bytes.length * (1 - WORTHWHILE)) writeFileSync(path + end, coded)
    }
  }
}

/** Files that Cloudflare reads: it sends the others by itself, without asking the Worker. */
async function tellCloudflare(folder) {
  const { pageHeaders, ASSETS } = await import('../src/http/page-headers.ts')
  const lines = (headers) => Object.entries(headers).map(([name, value]) => `  ${name}: ${value}`)
  const cached = pageHeaders(ASSETS)['Cache-Control']
  const rules = [
    '/ui/*',
    ...lines(pageHeaders('')),
    `/ui/${ASSETS}*`,
    '  ! Cache-Control',
    `  Cache-Control: ${cached}`,
  ]
  writeFileSync(join(folder, '_headers'), `${rules.join('\n')}\n`)
  // It compresses by itself.
  writeFileSync(join(folder, '.assetsignore'), `*.br\n*.gz\n${BUILT_FROM}\n`)
}

function replace(page, made, last) {
  for (let i = 0; ; i++) {
    try {
      move(page, `${last}-${i}`)
      renameSync(made, page)
      return
    } catch (error) {
      // Somebody else's has come in between.
      if (i === TRIES || !['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code)) throw error
    }
  }
}

function move(from, to) {
  try {
    renameSync(from, to)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
}

/** Says how many files a page has, and how many bytes of script a browser would load that used all of it. */
function describe(page) {
  const files = globSync('ui/**/*.*', { cwd: page })
  const plain = files.filter((file) => !/\.(br|gz)$/.test(file))
  const bytes = plain
    .filter((file) => file.endsWith('.js'))
    .map((file) => statSync(join(page, files.includes(`${file}.gz`) ? `${file}.gz` : file)).size)
    .reduce((sum, size) => sum + size, 0)
  return `${plain.length} files, ${(bytes / 1024).toFixed(1)} KiB of script, gzipped`
}

async function main({ start: isStart, to }) {
  const page = resolve(to)
  const digest = digestOfSources()
  if (isBuiltFrom(page, digest)) {
    if (!isStart) console.log(`The page is built already: ${describe(page)}.`)
    return 0
  }
  const begun = performance.now()
  console.log('Building the page …')
  try {
    const described = await build(page, digest)
    console.log(`The page is built: ${described}; ${((performance.now() - begun) / 1000).toFixed(1)} s.`)
    return 0
  } catch (error) {
    console.error(`mcbackend-edge: the page cannot be built (${stripVTControlCharacters(error.message).trim()}).`)
    return isStart ? 0 : 1
  }
}

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    start: { type: 'boolean', default: false },
    to: { type: 'string', default: join(ROOT, 'dist/page') },
  },
})
if (values.help) console.log(HELP)
else process.exitCode = await main(values)
