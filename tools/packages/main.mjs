// `npm run test:packages`: packs the client and the server, installs both into empty folders outside of this checkout, and
// uses them there as a stranger would: on Node 20, 22 and 24, on Deno and Bun, in a bundle in Chromium, and with tsc.
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { haveChromium, textOfPage } from './chromium.mjs'
import { bundle, serveFolder } from './page.mjs'
import { run, serve } from './programs.mjs'
import { expect, Skipped, Steps } from './steps.mjs'

if (process.argv.length > 2) {
  console.log(`usage: npm run test:packages

Needs the network for what it installs: the platforms into tools/packages, and Debian's Chromium where there is none and
this is root.`)
  process.exit(process.argv[2] === '--help' ? 0 : 1)
}

/** Bytes of a bundle that a page loads at once, and of what a part of the client loads when it needs it. */
const MOST_BYTES = 40 * 1024
const MOST_LATER = 32 * 1024
const HERE = fileURLToPath(new URL('.', import.meta.url))
const ROOT = join(HERE, '../..')
const TOOLS = join(HERE, 'node_modules')
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
const NODE20 = join(TOOLS, 'node20/bin/node')

const folder = mkdtempSync(join(tmpdir(), 'mcbackend-packages-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
const client = join(folder, 'client')
const server = join(folder, 'server')
const data = join(folder, 'data')

/** Set by the npm that runs this, for this checkout. */
const OF_THIS_RUN =
  /^(npm_(?!config_)|npm_config_(local_|global_)?prefix$|INIT_CWD$|NODE_(OPTIONS|COMPILE_CACHE)$|MCB_)/
/** That of a stranger, whose Node is the oldest that is supported. */
const env = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !OF_THIS_RUN.test(name))),
  PATH: [
    join(TOOLS, 'node20/bin'),
    ...(process.env.PATH ?? '').split(delimiter).filter((place) => !isOurs(place)),
  ].join(delimiter),
  DENO_DIR: join(folder, 'deno'),
  DENO_NO_UPDATE_CHECK: '1',
}

function isOurs(place) {
  return place.startsWith(ROOT) || place.includes('node_modules')
}

const tarball = (name) => join(ROOT, 'dist', `${name}-${version}.tgz`)
// Not `npm ci`: it refuses a lock file without the packages of platforms that a registry does not carry.
// A connection that stalls is tried again within the patience of a step; npm itself would wait for five minutes.
const npmInstall = ['npm', 'install', '--no-fund', '--no-audit', '--loglevel=error', '--fetch-timeout=45000']

/** A folder of a stranger, with one package in it. */
async function install(place, file) {
  mkdirSync(place)
  writeFileSync(join(place, 'package.json'), '{ "private": true, "type": "module" }\n')
  await run([...npmInstall, file], { cwd: place, env })
}

function filesOf(place, name) {
  const root = join(place, 'node_modules', name)
  return globSync('**/*', { cwd: root, exclude: ['node_modules'], withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function checkClient() {
  const files = filesOf(client, 'mcbackend-edge-client')
  for (const file of files) {
    expect(`${file} has no place in it`, /(\.js|\.js\.map|\.d\.ts|LICENSE|\.md|package\.json)$/.test(file))
    if (!/\.(js|map|d\.ts)$/.test(file)) continue
    const text = readFileSync(file, 'utf8')
    if (file.endsWith('.map')) expect(`${file} has no sources`, JSON.parse(text).sourcesContent?.[0]?.length > 0)
    else expect(`${file} names what not every platform has`, !/['"]node:|\.withResolvers\b[<(]|\bNodeJS\./.test(text))
  }
  expect(
    'a source map is missing',
    files.some((file) => file.endsWith('client/index.js.map')),
  )
  const installed = globSync('{*,@*/*}/package.json', { cwd: join(client, 'node_modules') }).sort()
  return `${files.length} files, with ${installed.map((file) => file.replace('/package.json', '')).join(', ')}`
}

function checkServer() {
  const files = filesOf(server, 'mcbackend-edge')
  for (const file of files) {
    expect(
      `${file} has no place in it`,
      /(\.js|\.mjs|\.sql|LICENSE|\.md|_journal\.json|package\.json|\/deploy\/[\w.-]+|\/dist\/page\/ui\/[\w./-]+)$/.test(
        file,
      ),
    )
    expect(`${file} is a source of the page`, !/\/web\/|\.tsx?$|\.map$/.test(file.slice(server.length)))
  }
  return `${files.length} files`
}

const npx = (...command) => ['npx', '--no-install', ...command]
const serverEnv = (more) => ({ ...env, PORT: '0', MCB_LOG: 'quiet', ...more })

async function checkCommands() {
  const inServer = { cwd: server, env }
  expect('its version', (await run(npx('mcbackend-edge', '--version'), inServer)).trim() === version)
  expect('its help', (await run(npx('mcbackend-edge', '--help'), inServer)).includes('MCB_DATA_DIR'))
  expect('the help of mcb', (await run(npx('mcb', '--help'), inServer)).includes('usage: mcb'))
  const { url, stop } = await serve(npx('mcbackend-edge'), { cwd: server, env: serverEnv({ MCB_DATA_DIR: data }) })
  const health = await (await fetch(`${url}/healthz`)).json()
  expect(`/healthz: ${JSON.stringify(health)}`, health.status === 'ok' && health.version === version)
  await checkPage(url)
  expect('it did not stop as it should', (await stop()).includes('finishing what was accepted'))
}

/** The page, and each file that it names, as they were built: compressed, and with their headers. */
async function checkPage(url) {
  const page = await fetch(`${url}/ui/runs/a-run`)
  const policy = page.headers.get('Content-Security-Policy')
  expect(`the policy of the page: ${policy}`, policy?.startsWith("default-src 'none'; script-src 'self';") === true)
  const names = [...(await page.text()).matchAll(/"(\/ui\/assets\/[\w.-]+)"/g)].map(([, name]) => name)
  expect('the page names no files', names.length > 1)
  for (const name of names) {
    const file = await fetch(`${url}${name}`, { headers: { 'Accept-Encoding': 'br' } })
    expect(`${name}: ${file.status}`, file.ok && file.headers.get('Cache-Control')?.includes('immutable') === true)
    if (name.endsWith('.js')) expect(`${name} is not compressed`, file.headers.get('Content-Encoding') === 'br')
    const built = readFileSync(join(ROOT, 'dist/page', name), 'utf8')
    expect(`${name} is not what was built`, (await file.text()) === built)
  }
}

async function use(program, url) {
  const printed = await run([...program, 'main.mjs', url], { cwd: client, env })
  const done = /^used: (.*)$/m.exec(printed)
  expect(printed, done !== null)
  return done[1]
}

/** The lines of the README, but for the address of the server. */
async function useReadme(node, url) {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const code = /## The client in ten lines\n+```ts\n([\s\S]*?)```/.exec(readme)?.[1]
  expect(
    'README.md has no such lines',
    code?.includes("'mcbackend-edge-client'") && code.includes('http://127.0.0.1:8787'),
  )
  writeFileSync(join(client, 'readme.mjs'), code.replace('http://127.0.0.1:8787', url))
  const printed = await run([node, 'readme.mjs'], { cwd: client, env })
  expect(printed, printed.includes('shape: [ 1, 8 ]') && printed.includes("rid: 'my-run'"))
}

async function compile(tsc, resolution) {
  const compilerOptions = {
    ...resolution,
    target: 'ES2022',
    lib: ['ES2022', 'DOM'],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
  }
  writeFileSync(join(client, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['strict.ts'] }))
  await run([process.execPath, tsc, '-p', '.'], { cwd: client, env })
}

async function checkBackup() {
  const backup = join(folder, 'backup')
  const bin = join(server, 'node_modules/mcbackend-edge/bin/mcbackend-edge.mjs')
  const command = (...args) => run([NODE20, bin, ...args], { cwd: server, env: serverEnv({ MCB_DATA_DIR: data }) })
  expect('the backup', (await command('backup', backup)).includes('copied'))
  expect('the verification', (await command('verify', backup)).includes('sound: '))
  expect('the restore', (await command('restore', backup, join(folder, 'restored'))).includes('all verified'))
  const drill = join(server, 'node_modules/mcbackend-edge/deploy/restore-drill.sh')
  expect('the drill', (await run(['sh', drill, '--from', backup], { cwd: server, env })).includes('passed: '))
}

const steps = new Steps()
await steps.require('both packages are built', () =>
  run([process.execPath, 'scripts/build.mjs'], { cwd: ROOT, env: process.env }),
)
await steps.require('the platforms are installed', () =>
  run([...npmInstall, '--no-save'], { cwd: HERE, env: process.env }),
)
await steps.require('both are installed into empty folders, by an npm on Node 20', () =>
  Promise.all([install(client, tarball('mcbackend-edge-client')), install(server, tarball('mcbackend-edge'))]),
)
await steps.run('the client has what it needs, and nothing else', checkClient)
await steps.run('the server has what it needs, and nothing else', checkServer)
await steps.run('npx mcbackend-edge and npx mcb run where npm runs on Node 20', checkCommands)

cpSync(join(HERE, 'use'), client, { recursive: true })
const site = join(folder, 'site')
mkdirSync(site)
const page = await serveFolder(site)
const bin = join(server, 'node_modules/mcbackend-edge/bin/mcbackend-edge.mjs')
let started
await steps.require('Node 20 starts the server, which runs on its own Node', async () => {
  started = await serve([NODE20, bin], {
    cwd: server,
    env: serverEnv({ MCB_DATA_DIR: data, MCB_CORS_ORIGINS: page.origin }),
  })
})
const { url, stop } = started
const node24 = join(server, 'node_modules/node/bin/node')
await steps.run('Node 20', () => use([NODE20], url))
await steps.run('Node 22', () => use([join(TOOLS, 'node22/bin/node')], url))
await steps.run('Node 24', () => use([node24], url))
await steps.run('Deno', () => use([join(TOOLS, '.bin/deno'), 'run', '-A', '--node-modules-dir=manual'], url))
await steps.run('Bun', () => use([join(TOOLS, '.bin/bun')], url))
await steps.run('the lines of the README', () => useReadme(node24, url))
const compilers = {
  'TypeScript 5': join(TOOLS, 'typescript/bin/tsc'),
  'TypeScript 7': join(ROOT, 'node_modules/typescript/bin/tsc'),
}
const resolutions = [
  { module: 'ESNext', moduleResolution: 'bundler' },
  { module: 'NodeNext', moduleResolution: 'nodenext' },
]
for (const [name, tsc] of Object.entries(compilers)) {
  for (const resolution of resolutions) {
    await steps.run(`${name}, ${resolution.moduleResolution}, every check`, () => compile(tsc, resolution))
  }
}
const isBundled = await steps.run('vite bundles it into 40 KB', async () => {
  const { first, later } = await bundle(join(client, 'page'), site)
  expect(`the page takes ${first} bytes gzipped, more than ${MOST_BYTES}`, first > 0 && first <= MOST_BYTES)
  expect(`what it loads when it needs it has ${later} bytes gzipped, more than ${MOST_LATER}`, later <= MOST_LATER)
  return `${first} bytes gzipped, and ${later} when it needs them`
})
const hasChromium = await steps.run('there is a Chromium', haveChromium)
await steps.run('the bundle in Chromium, from another origin', async () => {
  if (!isBundled || !hasChromium) throw new Skipped('it needs the two before')
  const text = await textOfPage(`${page.origin}/#${url}`)
  expect(text, text.startsWith('used: '))
  return text
})
page.close()
await steps.run('mcbackend-edge backup copies what the server writes', checkBackup)
await steps.run('SIGTERM to Node 20 stops the server', async () => {
  expect('it did not stop as it should', (await stop()).includes('finishing what was accepted'))
})
steps.finish()
