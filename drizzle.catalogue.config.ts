import { defineConfig } from 'drizzle-kit'

/** The database inside each shard of the catalogue. */
export default defineConfig({
  dialect: 'sqlite',
  schema: ['./src/backends/durable/catalogue-tables.ts', './src/backends/durable/shard-tables.ts'],
  out: './migrations/catalogue',
})
