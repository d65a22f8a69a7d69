import { defineConfig } from 'drizzle-kit'

/** The database of a deployment: D1, or the file of the Node entry. */
export default defineConfig({
  dialect: 'sqlite',
  schema: [
    './src/backends/sqlite/schema.ts',
    './src/backends/durable/catalogue-schema.ts',
    './src/access/sql/tables.ts',
  ],
  out: './migrations',
})
