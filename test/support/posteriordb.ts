/** Reference draws of posteriordb, read in place; see the README beside them. Nothing of them is committed. */
import { existsSync, readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'
import { SHARED_DATA } from './shared.ts'

/** Chains of draws by variable name. */
export type ReferenceDraws = { readonly [name: string]: readonly number[] }[]

const NAMES = ['eight_schools-eight_schools_noncentered', 'kidiq-kidscore_momhs']

/** All reference posteriors, or undefined where the folder is absent. */
export function referenceDraws(): { readonly [posterior: string]: ReferenceDraws } | undefined {
  const paths = NAMES.map((name) => [name, `${SHARED_DATA}/posteriordb/${name}.json.zip`] as const)
  if (!paths.every(([, path]) => existsSync(path))) return undefined
  return Object.fromEntries(paths.map(([name, path]) => [name, JSON.parse(onlyEntry(readFileSync(path)))]))
}

/** The one file of a zip archive (APPNOTE.TXT, 4.3): found through the central directory at its end. */
function onlyEntry(zip: Buffer): string {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  const directory = zip.readUInt32LE(end + 16)
  const compressed = zip.readUInt32LE(directory + 20)
  const header = zip.readUInt32LE(directory + 42)
  const begin = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28)
  return inflateRawSync(zip.subarray(begin, begin + compressed)).toString('utf8')
}
