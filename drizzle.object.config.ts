import { defineConfig } from 'drizzle-kit'

/** The database inside each run object. */
export default defineConfig({
  dialect: 'sqlite',
  schema: ['./src/backends/sqlite/tables.ts', './src/backends/durable/object-tables.ts'],
  out: './migrations/object',
})
