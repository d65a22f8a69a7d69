// Writes docs/openapi.json: the document that servers give at /openapi.json.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createApp } from '../src/app.ts'

const FILE = 'docs/openapi.json'

if (process.argv.includes('--help')) {
  console.log(`usage: npm run generate   writes ${FILE}, among others`)
  process.exit(0)
}

const app = createApp({
  openBackend: () => {
    throw new Error('the document needs no storage')
  },
})
const answer = await app.request('/openapi.json')
writeFileSync(FILE, await answer.text())
execFileSync(process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'format', '--write', FILE], {
  stdio: 'inherit',
})
