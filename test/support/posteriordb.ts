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

/** Diagnostics of a posterior's variables, as its reference draws were published with them. */
export interface ReferenceDiagnostics {
  readonly names: readonly string[]
  readonly rhat: readonly number[]
  readonly essBulk: readonly number[]
  readonly essTail: readonly number[]
}

/** Diagnostics of all reference posteriors by R's posterior, or undefined where the folder is absent. */
export function referenceDiagnostics(): { readonly [posterior: string]: ReferenceDiagnostics } | undefined {
  const paths = NAMES.map((name) => [name, `${SHARED_DATA}/posteriordb/${name}.info.json`] as const)
  if (!paths.every(([, path]) => existsSync(path))) return undefined
  return Object.fromEntries(
    paths.map(([name, path]) => {
      const { diagnostics } = JSON.parse(readFileSync(path, 'utf8'))
      return [
        name,
        {
          names: diagnostics.diagnostic_information.names,
          rhat: diagnostics.r_hat,
          essBulk: diagnostics.effective_sample_size_bulk,
          essTail: diagnostics.effective_sample_size_tail,
        },
      ]
    }),
  )
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
