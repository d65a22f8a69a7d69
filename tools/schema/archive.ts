/** The archive that is published: the schema, its descriptor set, the golden files and the pages of the contract. */
import { globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, posix, resolve } from 'node:path'
import { CONFIG, demand } from './buf.ts'
import { type Files, tarGz } from './tar.ts'

export const ROOT = resolve(import.meta.dirname, '../..')
/** The schema, compiled: a google.protobuf.FileDescriptorSet with the comments. */
export const DESCRIPTORS = 'mcbackend.binpb'
/** Pages of the contract. Files that they link to are in the archive as well, so that no link of theirs leads nowhere. */
export const PAGES = [
  'docs/protocol.md',
  'conformance/README.md',
  'conformance/drivers/README.md',
  'conformance/golden/README.md',
]
const FILES = ['LICENSE', 'docs/openapi.json', 'protobufs/**/*.proto', 'conformance/golden/files/**/*.{bin,json,txt}']
/** Text of the archive's README.md, and the version's place in it. */
const README = { text: 'tools/schema/archive.md', version: 'X.Y.Z' }

export interface Archive {
  /** Name of its file. */
  readonly name: string
  /** Folder that all of its files are in. */
  readonly folder: string
  /** Contents by their paths below that folder. */
  readonly files: Files
  readonly bytes: Buffer
}

const read = (path: string) => readFileSync(join(ROOT, path))

/** Files that a page links to, by their paths from the root. */
export function linkedBy(page: string, text: string): string[] {
  const links = [...text.matchAll(/\]\((?![a-z]+:|#)([^()\s#]+)/g)].map(([, link = '']) => decodeURI(link))
  return links.map((link) => posix.join(dirname(page), link))
}

/** Packs what lies in this checkout, with the version of package.json. buf must be installed. */
export function archiveOfSchema(): Archive {
  const { version }: { readonly version: string } = JSON.parse(read('package.json').toString())
  const paths = new Set([...FILES.flatMap((pattern) => globSync(pattern, { cwd: ROOT })), ...PAGES])
  for (const page of PAGES) {
    for (const path of linkedBy(page, read(page).toString())) {
      if (statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile()) paths.add(path)
    }
  }
  const readme = read(README.text).toString().replaceAll(README.version, version)
  const files = new Map<string, Uint8Array>([...paths].map((path) => [path, read(path)]))
  files.set('README.md', Buffer.from(readme))
  files.set(DESCRIPTORS, descriptorSet())
  const folder = `mcbackend-edge-schema-${version}`
  const bytes = tarGz(new Map([...files].map(([path, content]) => [`${folder}/${path}`, content])))
  return { name: `${folder}.tar.gz`, folder, files, bytes }
}

function descriptorSet(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'mcb-schema-'))
  try {
    const file = join(folder, DESCRIPTORS)
    demand(ROOT, 'build', '--config', CONFIG, '--as-file-descriptor-set', '--output', file)
    return readFileSync(file)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
