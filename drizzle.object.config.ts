import { defineConfig } from 'drizzle-kit'

/** The database inside each run object. */
export default defineConfig({
  dialect: 'sqlite',
  schema: ['./src/backends/sqlite/schema.ts', './src/backends/durable/object-schema.ts'],
  out: './migrations/object',
})
