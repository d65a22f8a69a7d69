// Starts the worker on workerd with local storage (`npm run dev`): first the migrations, then wrangler's development server.
// Nothing of it needs a network or an account, and what it serves is reached from this machine only.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const HELP = `Starts McBackend Edge on workerd, with run objects and the list of runs on this machine.

usage: npm run dev -- [--port N] [--persist-to DIR] [flags of wrangler dev]

  --port N           port to listen on               [8787]
  --ip ADDRESS       address to listen on            [127.0.0.1]
  --persist-to DIR   folder of the storage           [.wrangler/state]
  --config, --env    as for wrangler

There are no keys, since only this machine reaches it. With a file .dev.vars, what that says holds: MCB_OPERATOR_TOKEN=…
turns keys on, as they are when it is deployed; MCB_AUTH=open leaves them out.

All other flags go to wrangler dev as they are; "npx wrangler dev --help" lists them. SIGTERM or SIGINT stops it.`

const WRANGLER = fileURLToPath(new URL('../node_modules/wrangler/bin/wrangler.js', import.meta.url))
const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Milliseconds that wrangler has to stop before it is killed. */
const GRACE_MS = 10_000

const environment = {
  WRANGLER_SEND_METRICS: 'false',
  // Else wrangler asks for a newer version, and for the request's place on the network.
  WRANGLER_HIDE_BANNER: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  // Else every request and every statement is written down once more, beside the database.
  X_LOCAL_OBSERVABILITY: 'false',
  X_LOCAL_EXPLORER: 'false',
  ...process.env,
}

function fail(sentence) {
  console.error(`mcbackend-edge: ${sentence}`)
  process.exit(1)
}

/** The last value of a flag, written `--name value`, `--name=value` or with its short name. */
function flagValue(args, ...names) {
  let value
  for (const [i, arg] of args.entries()) {
    if (names.includes(arg)) value = args[i + 1]
    const [name, ...rest] = arg.split('=')
    if (rest.length > 0 && names.includes(name)) value = rest.join('=')
  }
  return value
}

function withoutFlag(args, name) {
  return args.filter((arg, i) => arg !== name && args[i - 1] !== name && !arg.startsWith(`${name}=`))
}

let child
let stopping = false

/** Runs wrangler to its end; quiet, it says nothing and asks nothing. */
function wrangler(args, { quiet }) {
  return new Promise((done, failed) => {
    child = spawn(process.execPath, [WRANGLER, ...args], {
      cwd: ROOT,
      env: quiet ? { ...environment, CI: 'true' } : environment,
      stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
    })
    let said = ''
    child.stdout?.on('data', (chunk) => (said += chunk))
    child.stderr?.on('data', (chunk) => (said += chunk))
    child.once('error', failed)
    child.once('close', (code, signal) => done({ code: code ?? (signal === null ? 0 : 1), said }))
  })
}

function stop(signal) {
  if (stopping) return
  stopping = true
  child?.kill(signal)
  setTimeout(() => child?.kill('SIGKILL'), GRACE_MS).unref()
}

/** npm passes a signal on to its shell, which ends without passing it on. */
function stopWithNpm() {
  const parent = process.ppid
  if (process.env.npm_lifecycle_event === undefined) return
  setInterval(() => {
    if (process.ppid !== parent) stop('SIGTERM')
  }, 200).unref()
}

/** Variables that say that there are no keys, where nobody says anything else and only this machine listens. */
function openVariables(args, host) {
  const said = existsSync(join(ROOT, '.dev.vars')) || args.some((arg) => /MCB_(AUTH|OPERATOR_TOKEN)/.test(arg))
  const isLoopback = host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)
  return said || !isLoopback ? [] : ['--var', 'MCB_AUTH:open']
}

function requireFree(port, host) {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', (error) => {
      if (error.code === 'EADDRINUSE') fail(`port ${port} of ${host} is taken; choose another one with --port.`)
      fail(`cannot listen on ${host}:${port} (${error.message}); choose others with --ip and --port.`)
    })
    server.listen(port, host, () => server.close(done))
  })
}

/** Those that say where it listens, where the user says nothing, and that it asks nothing. */
function defaultFlags(args, { host, port }) {
  const values = [
    ['--ip', host],
    ['--port', String(port)],
    // A free one, so that two can run.
    ['--inspector-port', '0'],
  ]
  const saysInteraction = args.some((arg) => arg.includes('show-interactive-dev-session'))
  return [
    ...values.flatMap(([name, value]) => (flagValue(args, name) === undefined ? [name, value] : [])),
    ...openVariables(args, host),
    ...(saysInteraction ? [] : ['--show-interactive-dev-session=false']),
  ]
}

async function main(args) {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(HELP)
    return 0
  }
  const port = Number(flagValue(args, '--port') ?? 8787)
  if (!Number.isInteger(port) || port < 0 || port > 65535) fail(`--port must be a number from 0 to 65535.`)
  const host = flagValue(args, '--ip') ?? '127.0.0.1'
  await requireFree(port, host)
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => stop(signal))
  stopWithNpm()

  const persistTo = resolve(flagValue(args, '--persist-to') ?? `${ROOT}/.wrangler/state`)
  const config = flagValue(args, '--config', '-c')
  const env = flagValue(args, '--env', '-e')
  const shared = [
    ...(config === undefined ? [] : ['--config', resolve(config)]),
    ...(env === undefined ? [] : ['--env', env]),
  ]
  const place = ['--persist-to', persistTo]
  const migrated = await wrangler(['d1', 'migrations', 'apply', 'DB', '--local', ...place, ...shared], { quiet: true })
  if (stopping) return 0
  if (migrated.code !== 0) {
    console.error(migrated.said)
    fail(`the migrations could not be applied to "${persistTo}"; wrangler says why above.`)
  }

  const rest = ['--persist-to', '--config', '-c', '--env', '-e'].reduce(withoutFlag, args)
  const defaults = defaultFlags(args, { host, port })
  const served = await wrangler(['dev', ...place, ...shared, ...defaults, ...rest], { quiet: false })
  return stopping ? 0 : served.code
}

process.exit(await main(process.argv.slice(2)))
