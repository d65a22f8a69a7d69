/**
 * A backup's folder and its manifests.
 *
 * A *copy* is a folder of that moment's name, with the index and a manifest, which is written last: one without a manifest
 * was cut off. Segments of the journal and objects lie in folders beside the copies: they grow at their end alone, so that
 * each copy names the bytes of them that are its own, and the next one appends what is new.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { sumOf } from '../../objects/checksum.ts'
import { objectFile } from '../../objects/file-objects.ts'
import { writeWhole } from './files.ts'

export const MANIFEST = 'manifest.json'
export const INDEX = 'mcbackend.sqlite'
const COPY = /^\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z$/

const whole = v.pipe(v.number(), v.integer(), v.minValue(0))

const schema = v.object({
  /** Version of the layout. */
  format: v.literal(1),
  version: v.string(),
  /** Moments of the copy. */
  begun: v.string(),
  ended: v.string(),
  /** `stamp` tells an index that has not changed; null where that cannot be told. */
  index: v.object({ size: whole, sum: whole, stamp: v.nullable(v.string()) }),
  /** Segments by the name of their file in the data folder. */
  journal: v.record(v.string(), v.object({ file: v.string(), size: whole, sum: whole })),
  /** For each object its bytes, their checksum, that of the rows which name them, and the variant of its file. */
  objects: v.record(v.string(), v.tuple([whole, whole, whole, whole])),
})

export type Manifest = v.InferOutput<typeof schema>
export type ObjectEntry = Manifest['objects'][string]

/** A folder that is no backup, or one that cannot be used. */
export class BackupError extends Error {
  override readonly name = 'BackupError'
}

/** The name of a copy that is begun now; names sort by time. */
export function newCopyName(): string {
  return new Date().toISOString().replaceAll(':', '')
}

/** Copies in a backup's folder, whole or not, oldest first. */
export function copiesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => COPY.test(name))
    .sort()
}

/** The file of an object in a backup's folder. Variants are of histories that parted after a restore. */
export function objectPath(key: string, variant: number): string {
  return `objects/${objectFile(key)}${variant === 0 ? '' : `.v${variant}`}`
}

export function writeManifest(copy: string, manifest: Manifest): void {
  const text = JSON.stringify(manifest)
  writeWhole(join(copy, MANIFEST), `{"sum":${sumOf(text)},"manifest":${text}}\n`)
}

/** The manifest of a copy; undefined where it was cut off. @throws BackupError */
export function readManifest(copy: string): Manifest | undefined {
  const path = join(copy, MANIFEST)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  const [, sum, own] = /^\{"sum":(\d+),"manifest":(.*)\}\n$/s.exec(text) ?? []
  if (own === undefined || sumOf(own) !== Number(sum)) {
    throw new BackupError(`"${path}" is not what was written: its checksum differs. Move its folder away`)
  }
  const parsed = v.safeParse(schema, JSON.parse(own))
  if (!parsed.success) throw new BackupError(`"${path}" was written by another version of this program`)
  return parsed.output
}

/** Files that a copy names, with the bytes of each. */
export function* filesOf({ journal, objects }: Manifest): Generator<readonly [file: string, size: number]> {
  for (const { file, size } of Object.values(journal)) yield [file, size]
  for (const [key, [size, , , variant]] of Object.entries(objects)) yield [objectPath(key, variant), size]
}
