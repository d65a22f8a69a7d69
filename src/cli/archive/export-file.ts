/** An archive as a file: written beside its name, resumed there, and given the name when it is whole. */
import { existsSync } from 'node:fs'
import { type FileHandle, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { HttpRun } from '../../client/index.ts'
import { CliError } from '../cli-error.ts'
import { type Begun, type Exported, type ExportOptions, exportRun } from './export.ts'
import type { PagesOf } from './pages.ts'
import { ArchiveReader, BrokenArchive } from './reader.ts'
import { FileSource } from './source.ts'
import type { Sink } from './writer.ts'

interface Resumed extends Begun {
  /** Bytes that are whole. */
  readonly bytes: number
}

export async function exportToFile(
  of: PagesOf,
  run: HttpRun,
  path: string,
  options: Omit<ExportOptions, 'begun'>,
): Promise<Exported & { readonly resumedAt: number }> {
  const part = `${path}.part`
  const resumed = existsSync(part) ? await wholePartOf(part, run) : undefined
  const handle = await openPart(part, resumed)
  let exported: Exported
  try {
    const begun = resumed === undefined || resumed.bytes === 0 ? undefined : resumed
    exported = begun?.contents.isWhole
      ? wholeOf(begun)
      : await exportRun(of, run, sinkOf(handle, resumed?.bytes ?? 0), { ...options, begun })
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(part, path)
  await syncFolder(dirname(path))
  return { ...exported, resumedAt: resumed?.bytes ?? 0 }
}

/** @throws CliError when the file cannot be written */
async function openPart(part: string, resumed: Resumed | undefined): Promise<FileHandle> {
  try {
    const handle = await open(part, resumed === undefined ? 'wx' : 'r+')
    // A record that was cut off, or is damaged, comes again.
    await handle.truncate(resumed?.bytes ?? 0)
    return handle
  } catch (error) {
    throw new CliError(`${part} cannot be written (${error instanceof Error ? error.message : String(error)})`)
  }
}

/** The records of an interrupted export that are right. @throws CliError when they are of something else */
async function wholePartOf(part: string, run: HttpRun): Promise<Resumed> {
  const advice = `remove ${part}, or name another file`
  const source = await FileSource.open(part)
  const reader = new ArchiveReader(source, { reuse: true })
  try {
    if (source.left > 0) {
      await reader.begin()
      while ((await reader.next()) !== undefined);
    }
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    if (!(error instanceof BrokenArchive)) throw new CliError(`${part} is in the way: ${error.message}; ${advice}`)
  } finally {
    await source.close()
  }
  const { contents, end, lastSum } = reader
  if (contents.count === 0) return { contents, sum: lastSum, bytes: 0 }
  const { registration, rid } = contents.origin
  if (registration !== run.registration) {
    const why = rid === run.rid ? 'the run was deleted and registered again since' : `it is of run "${rid}"`
    throw new CliError(`${part} holds the beginning of another export: ${why}; ${advice}`)
  }
  return { contents, sum: lastSum, bytes: end }
}

/** The export whose last step alone is missing. */
function wholeOf({ contents }: Begun): Exported {
  const { records, draws } = contents.end()
  return { origin: contents.origin, records, draws }
}

function sinkOf(handle: FileHandle, from: number): Sink {
  let position = from
  return async (parts) => {
    for (const part of parts) {
      for (let at = 0; at < part.length; ) {
        const { bytesWritten } = await handle.write(part, at, part.length - at, position)
        at += bytesWritten
        position += bytesWritten
      }
    }
  }
}

/** Makes the new name durable, where folders can be synced. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32' || !(await stat(folder)).isDirectory()) return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
