import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { referenceDraws } from './test/support/posteriordb.ts'

/** Times that a test waits for an event: it comes soon, but not on every machine within the usual second, or ten. */
const PATIENCE = { hookTimeout: 300_000, expect: { poll: { timeout: 30_000 } } }

/** Tests that need no server and no engine, and are done in seconds. */
const UNIT = [
  'test/core/**/*.test.ts',
  'test/runs/**/*.test.ts',
  'test/http/{codes,draws,in-zarr,json-in,elements,held,negotiation,netcdf,openapi,order,page,protocol,runs,summary,tables,trace,checks,zarr}.test.ts',
  'test/page/{*,draws/*}.test.ts',
  'test/{comments,docs,generated}.test.ts',
  'test/client/{append,backend,checks,failure,read,retry,too-large}*.test.ts',
  'test/conformance/{memory,null}.test.ts',
  'test/tenants/{attacks,bodies,bounds,failures,limits,management,matrix,one-run}.test.ts',
]

/** Tests that take long and are about little have names that end in `.slow.test.ts`: scripts/test.mjs leaves them out. */
const LEFT_OUT = process.env.MCB_TEST_SLOW === 'no' ? ['**/*.slow.test.ts'] : []

/** Tests of the Worker with a bucket for the draws. */
const WITH_BUCKET = ['test/workers/r2/**/*.test.ts']

/** One engine for all files of both projects, each of which has a database of its own. */
const CLICKHOUSE = { globalSetup: ['./test/clickhouse/engine.ts'], testTimeout: 300_000, ...PATIENCE }

/** Bindings of the worker under test beyond those of wrangler.toml. */
const BINDINGS = { MCB_AUTH: 'open', MCB_HOSTS: 'worker.test' }

/** A project on workerd. */
const onWorkerd = (miniflare: Readonly<Record<string, unknown>>) =>
  cloudflareTest({ wrangler: { configPath: './wrangler.toml' }, miniflare })

export default defineConfig(async () => ({
  test: {
    // Most of a test's time is waiting for servers.
    maxWorkers: '100%',
    // Output of passing tests is of no use to a reader, nor are their times, unless they are long.
    silent: 'passed-only' as const,
    slowTestThreshold: 20_000,
    projects: [
      {
        extends: true as const,
        // Their files leave nothing behind that another one would see: modules are loaded once for all.
        test: { name: 'unit', include: UNIT, exclude: LEFT_OUT, isolate: false, testTimeout: 60_000, ...PATIENCE },
      },
      {
        extends: true as const,
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: [...UNIT, ...LEFT_OUT, 'test/workers/**', 'test/clickhouse/**', 'test/page/browser/**'],
          testTimeout: 120_000,
          ...PATIENCE,
        },
      },
      {
        extends: true as const,
        test: {
          name: 'page',
          include: ['test/page/browser/*.test.ts'],
          exclude: LEFT_OUT,
          globalSetup: ['./test/page/support/built.ts'],
          testTimeout: 120_000,
          // A browser, a server and a sampler share two cores with other tests: what fails is tried again, and fails for good the third time.
          retry: 2,
          ...PATIENCE,
        },
      },
      {
        extends: true as const,
        test: { name: 'clickhouse', include: ['test/clickhouse/*.test.ts'], ...CLICKHOUSE },
      },
      {
        extends: true as const,
        plugins: [onWorkerd({ bindings: { ...BINDINGS, MIGRATIONS: await readD1Migrations('./migrations') } })],
        test: {
          name: 'workers',
          // workerd reads no files: what tests need of them is handed over.
          provide: { reference: JSON.stringify(referenceDraws() ?? null) },
          include: ['test/workers/**/*.test.ts'],
          exclude: [...WITH_BUCKET, ...LEFT_OUT],
          globalSetup: ['./test/support/built-page.ts'],
          setupFiles: ['./test/workers/setup.ts'],
          testTimeout: 180_000,
          ...PATIENCE,
        },
      },
      {
        extends: true as const,
        plugins: [
          onWorkerd({
            // An object that may have little is soon full, and moves what it has while a test runs.
            bindings: { ...BINDINGS, MIGRATIONS: await readD1Migrations('./migrations'), MCB_OBJECT_MIB: '4' },
            r2Buckets: ['DRAWS'],
          }),
        ],
        test: {
          name: 'workers-r2',
          include: WITH_BUCKET,
          exclude: LEFT_OUT,
          setupFiles: ['./test/workers/setup.ts'],
          testTimeout: 180_000,
          ...PATIENCE,
        },
      },
      {
        extends: true as const,
        plugins: [
          onWorkerd({
            bindings: { ...BINDINGS, MIGRATIONS: await readD1Migrations('./migrations') },
            r2Buckets: ['DRAWS'],
          }),
        ],
        test: {
          // The costs of a deployment with a bucket, which has the usual limits.
          name: 'workers-costs',
          include: ['test/workers/costs.slow.test.ts'],
          exclude: LEFT_OUT,
          setupFiles: ['./test/workers/setup.ts'],
          ...PATIENCE,
        },
      },
      {
        extends: true as const,
        plugins: [onWorkerd({})],
        test: { name: 'workers-clickhouse', include: ['test/clickhouse/workers/*.test.ts'], ...CLICKHOUSE },
      },
    ],
  },
}))
