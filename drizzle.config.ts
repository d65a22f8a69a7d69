import { defineConfig } from 'drizzle-kit'

/** The database of a deployment: D1, or the file of the Node entry. */
export default defineConfig({
  dialect: 'sqlite',
  schema: [
    './src/backends/sqlite/tables.ts',
    './src/backends/durable/catalogue-tables.ts',
    './src/access/sql/access-tables.ts',
  ],
  out: './migrations',
})
