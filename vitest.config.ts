import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { referenceDraws } from './test/support/posteriordb.ts'

/** What a test waits for happens soon, but not on every machine within the second and the ten that are usual. */
const PATIENCE = { hookTimeout: 120_000, expect: { poll: { timeout: 30_000 } } }

export default defineConfig(async () => ({
  test: {
    // Most of a test's time is waiting for servers.
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/workers/**', 'test/clickhouse/workers/**'],
          testTimeout: 60_000,
          ...PATIENCE,
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                MIGRATIONS: await readD1Migrations('./migrations'),
                MCB_AUTH: 'open',
                MCB_HOSTS: 'worker.test',
              },
            },
          }),
        ],
        test: {
          name: 'workers',
          // workerd reads no files: what tests need of them is handed over.
          provide: { reference: JSON.stringify(referenceDraws() ?? null) },
          include: ['test/workers/**/*.test.ts'],
          setupFiles: ['./test/workers/setup.ts'],
          testTimeout: 180_000,
          ...PATIENCE,
        },
      },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: './wrangler.toml' } })],
        test: {
          name: 'workers-clickhouse',
          include: ['test/clickhouse/workers/*.test.ts'],
          globalSetup: ['./test/clickhouse/workers/engine.ts'],
          testTimeout: 300_000,
          ...PATIENCE,
        },
      },
    ],
  },
}))
