/** `npm run schema`: writes the archive of the schema, for writers of clients in other languages. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { archiveOfSchema, ROOT } from './archive.ts'
import { installBuf } from './buf.ts'

const HELP = `usage: npm run schema [-- --out DIR]   DIR: [dist]

Writes mcbackend-edge-schema-VERSION.tar.gz: protobufs/, their descriptor set, the golden files, openapi.json and the pages of
the contract. The same checkout gives the same bytes. Installs buf into tools/schema/ where it is missing.`

const { values } = parseArgs({
  options: { help: { type: 'boolean', short: 'h' }, out: { type: 'string', default: join(ROOT, 'dist') } },
})
if (values.help) {
  console.log(HELP)
} else {
  await installBuf()
  const { name, files, bytes } = archiveOfSchema()
  const folder = resolve(values.out)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), bytes)
  console.log(`${join(folder, name)}: ${files.size} files, ${(bytes.length / 1024).toFixed(0)} KiB`)
}
