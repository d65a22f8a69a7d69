/**
 * The worker under test: in workerd with its storage on this disk, reached without the proxies of wrangler's development
 * server, which cost ten times what the worker does.
 *
 * workerd listens by itself. This process builds the worker, starts workerd through Miniflare (which brings the local
 * D1), and stops it; no request passes it.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const HELP = `usage: node bench/workerd/server.ts [--storage objects|bucket|d1] [--var NAME=VALUE]… [--entry FILE] [--port N] --data FOLDER

  --storage  run objects, these with a bucket, or D1 alone   [objects]
  --var      a variable of the worker, as in wrangler.toml
  --entry    the worker                                      [bench/workerd/entry.ts: with the routes to compare with]
  --data     folder of its storage; what is there is kept

Serves the worker on workerd. Prints "listening on URL (workerd pid N)" when it is ready; SIGTERM or SIGINT stops it.`

interface Statement {
  bind(...values: readonly string[]): Statement
  run(): Promise<{ readonly results: readonly { readonly name: string }[] }>
}

/** The part of Miniflare that is used: the one that wrangler brings, so that it is the runtime of `npm run dev`. */
interface Miniflare {
  readonly ready: Promise<URL>
  getD1Database(binding: string, worker: string): Promise<{ prepare(sql: string): Statement }>
  dispose(): Promise<void>
}
interface MiniflareModule {
  Miniflare: new (options: object) => Miniflare
  convertV4MiniflareOptions(options: object): object
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const WRANGLER = join(ROOT, 'node_modules/wrangler')

/** Builds the worker as `wrangler deploy` does, where it is not built yet, and returns its one module. */
function build(entry: string, folder: string): string {
  const out = join(folder, 'build')
  const built = join(out, basename(entry).replace(/\.ts$/, '.js'))
  if (!existsSync(built)) {
    const args = ['deploy', entry, '--dry-run', '--outdir', out, '--config', join(ROOT, 'wrangler.toml')]
    const env = { ...process.env, CI: 'true', WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true' }
    execFileSync(process.execPath, [join(WRANGLER, 'bin/wrangler.js'), ...args], { cwd: ROOT, env, stdio: 'pipe' })
  }
  return readFileSync(built, 'utf8')
}

/** A port that was free a moment ago: workerd's own socket cannot say which one it was given. */
function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer()
    server.once('error', failed)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** Applies the migrations that the database has not had, as `wrangler d1 migrations apply` does. */
async function migrate(miniflare: Miniflare): Promise<void> {
  const database = await miniflare.getD1Database('DB', 'bench')
  await database.prepare('CREATE TABLE IF NOT EXISTS d1_migrations (name TEXT UNIQUE)').run()
  const { results } = await database.prepare('SELECT name FROM d1_migrations').run()
  const applied = new Set(results.map(({ name }) => name))
  const folder = join(ROOT, 'migrations')
  for (const name of readdirSync(folder).sort()) {
    if (!name.endsWith('.sql') || applied.has(name)) continue
    const statements = readFileSync(join(folder, name), 'utf8').split('--> statement-breakpoint')
    for (const statement of statements) await database.prepare(statement).run()
    await database.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name).run()
  }
}

/** workerd is the one child that this process keeps; undefined where the system does not tell. */
function childPid(): number | undefined {
  try {
    const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
    return children.trim() === '' ? undefined : Number(children.trim().split(' ')[0])
  } catch {
    return undefined
  }
}

/** Bindings of each storage beside D1. */
const RUNS = {
  durableObjects: {
    RUNS: { className: 'RunObject', useSQLite: true },
    CATALOGUE: { className: 'CatalogueObject', useSQLite: true },
  },
}
const STORAGES: ReadonlyMap<string, object> = new Map<string, object>([
  ['objects', RUNS],
  ['bucket', { ...RUNS, r2Buckets: { DRAWS: 'draws' } }],
  ['d1', {}],
])

/** Variables that were given as `NAME=VALUE`. */
function variablesIn(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const [name = '', ...value] = text.split('=')
      return [name, value.join('=')]
    }),
  )
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      storage: { type: 'string', default: 'objects' },
      var: { type: 'string', multiple: true, default: [] },
      entry: { type: 'string', default: fileURLToPath(new URL('entry.ts', import.meta.url)) },
      port: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const storage = STORAGES.get(values.storage)
  if (values.help || values.data === undefined || storage === undefined) {
    console.log(HELP)
    process.exitCode = values.help ? 0 : 1
    return
  }
  const folder = resolve(values.data)
  mkdirSync(folder, { recursive: true })
  const port = values.port === undefined ? await freePort() : Number(values.port)
  const require = createRequire(join(WRANGLER, 'package.json'))
  const module: MiniflareModule = require('miniflare')
  const miniflare = new module.Miniflare(
    module.convertV4MiniflareOptions({
      cf: false,
      resourcePersistencePath: join(folder, 'state'),
      workers: [
        {
          name: 'bench',
          modules: [{ type: 'ESModule', path: 'entry.js', contents: build(resolve(values.entry), folder) }],
          compatibilityDate: '2026-08-04',
          bindings: { MCB_AUTH: 'open', ...variablesIn(values.var) },
          d1Databases: { DB: 'bench' },
          ...storage,
          unsafeDirectSockets: [{ host: '127.0.0.1', port }],
        },
      ],
    }),
  )
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void miniflare.dispose().then(() => process.exit(0)))
  }
  await miniflare.ready
  await migrate(miniflare)
  console.log(`listening on http://127.0.0.1:${port} (workerd pid ${childPid() ?? 'unknown'})`)
}

await main()
