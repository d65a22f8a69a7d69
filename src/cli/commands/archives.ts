/** Commands that take a run out of a server as an archive, and put it into another. */
import { existsSync } from 'node:fs'
import { isRunId } from '../../core/wire/run-meta.ts'
import { type Exported, exportRun } from '../archive/export.ts'
import { exportToFile } from '../archive/export-file.ts'
import { type Imported, importRun, verifyArchive } from '../archive/import.ts'
import { downloadNetcdf } from '../archive/netcdf-file.ts'
import { FileSource, type Source, StreamSource } from '../archive/source.ts'
import { CliError, UsageError } from '../cli-error.ts'
import { type Command, type Given, type Shown, textOf } from '../command.ts'
import { endWithReader, interruptible, Progress, written } from '../output.ts'
import type { Profile } from '../profile.ts'
import { clientOptions, requireRun } from '../server.ts'
import { sizeText } from '../table.ts'
import { shown } from '../terminal.ts'

const exportCommand: Command = {
  usage: 'runs export RID -o FILE',
  about: 'a run as a portable archive: metadata, names, notes, facts, draws; or as netCDF',
  options: { output: { type: 'string', short: 'o' }, force: { type: 'boolean' }, format: { type: 'string' } },
  optionHelp: [
    '-o, --output FILE    the archive; - is the standard output',
    '--format nc          a netCDF-4 file of InferenceData, for ArviZ, xarray and R; that of a FILE that ends in .nc',
    '                     (--format mcb is the archive)',
    '--force              write over FILE where it is there',
    '                     what was interrupted lies in FILE.part: the same command goes on from there',
  ],
  examples: [
    'runs export my-run -o my-run.mcb',
    'runs export my-run -o my-run.nc',
    'runs export my-run -o - | ssh other mcb runs import -',
  ],
  args: 1,
  run: async ({ backend, profile }, [rid = ''], given) => {
    const path = textOf(given, 'output')
    if (path === undefined) throw new UsageError('say where to: -o FILE, or -o - for the standard output')
    const format = formatOf(given, path)
    if (path === '-' && process.stdout.isTTY) throw new UsageError('an archive is not for a terminal: -o FILE')
    if (path !== '-' && existsSync(path) && given.force !== true) {
      throw new CliError(`${path} is there already; remove it, name another file, or say --force`)
    }
    if (format === 'nc') return exportNetcdf(profile, rid, path)
    const run = await requireRun(backend, rid)
    const of = { options: clientOptions(profile), rid, registration: run.registration, schema: run.schema }
    const progress = new Progress()
    const begun = performance.now()
    const tell = ({ draws, bytes }: Done) => progress.tell(() => progressLine(draws, bytes, begun))
    const resume = path === '-' ? 'interrupted' : `interrupted; the same command goes on with ${path}.part`
    const uninterruptible = interruptible(shown(resume))
    try {
      if (path === '-') {
        endWithReader()
        await exportRun(of, run, async (parts) => void (await Promise.all(parts.map(written))), { tell })
        return undefined
      }
      const exported = await exportToFile(of, run, path, { tell })
      progress.end()
      return { json: { rid, file: path, ...countsOf(exported) }, text: exportText(path, exported) }
    } finally {
      progress.end()
      uninterruptible()
    }
  },
}

/** @throws UsageError for a format that there is not */
function formatOf(given: Given, path: string): 'mcb' | 'nc' {
  const format = textOf(given, 'format') ?? (path.endsWith('.nc') ? 'nc' : 'mcb')
  if (format !== 'mcb' && format !== 'nc') throw new UsageError(`--format is mcb or nc, not ${format}`)
  if (format === 'nc' && path === '-') throw new UsageError('a netCDF file needs a name: -o FILE')
  return format
}

async function exportNetcdf(profile: Profile, rid: string, path: string): Promise<Shown> {
  const progress = new Progress()
  const begun = performance.now()
  const tell = (bytes: number) =>
    progress.tell(() => `${sizeText(bytes)}, ${sizeText(Math.round((1000 * bytes) / (performance.now() - begun)))}/s`)
  try {
    const downloaded = await downloadNetcdf(path, { profile, rid, tell })
    const text = `run "${rid}": ${sizeText(downloaded.bytes)} of netCDF in ${path}`
    return { json: { rid, file: path, ...downloaded }, text }
  } finally {
    progress.end()
  }
}

interface Done {
  readonly draws: number
  readonly bytes: number
}

function progressLine(draws: number, bytes: number, begun: number): string {
  const seconds = (performance.now() - begun) / 1000
  return `${draws} draws, ${sizeText(bytes)}, ${sizeText(Math.round(bytes / seconds))}/s`
}

function countsOf({ origin, records, draws }: Exported) {
  return { chains: origin.chains.length, draws, records, exportedAt: origin.exportedAt }
}

function exportText(path: string, { origin, draws, resumedAt }: Exported & { readonly resumedAt: number }): string {
  const resumed = resumedAt === 0 ? '' : `, of which ${sizeText(resumedAt)} were there`
  return `run "${origin.rid}" as it was at ${origin.exportedAt}: ${draws} draws in ${origin.chains.length} chains, in ${path}${resumed}`
}

const importCommand: Command = {
  usage: 'runs import FILE',
  about: 'put an archive into this server; again, to go on where it was cut off',
  options: { as: { type: 'string' }, verify: { type: 'boolean' } },
  optionHelp: [
    '--as RID             register it under another id: the same bytes but for that',
    '--verify             compare all draws that the server has already; otherwise the first and last pages of them',
    '                     FILE may be -, the standard input, which cannot be looked through beforehand',
  ],
  examples: ['runs import my-run.mcb', 'runs import my-run.mcb --as my-run-copy'],
  args: 1,
  run: async ({ profile }, [path = ''], given) => {
    const as = textOf(given, 'as')
    if (as !== undefined && !isRunId(as))
      throw new UsageError('--as must be an id of a run: 1 to 128 characters of A-Z a-z 0-9 . _ ~ -')
    // Nothing is registered for an archive that is not whole.
    if (path !== '-') await withSource(await FileSource.open(path), verifyArchive)
    const progress = new Progress()
    const begun = performance.now()
    const tell = ({ draws, bytes }: Done) => progress.tell(() => progressLine(draws, bytes, begun))
    const source = path === '-' ? new StreamSource(process.stdin) : await FileSource.open(path)
    const uninterruptible = interruptible('interrupted; the same command goes on from there')
    try {
      const imported = await withSource(source, (opened) =>
        importRun(clientOptions(profile), opened, { as, verify: given.verify === true, tell }),
      )
      const { origin, ...counts } = imported
      progress.end()
      return { json: { ...counts, chains: origin.chains.length }, text: importText(imported) }
    } finally {
      progress.end()
      uninterruptible()
    }
  },
}

async function withSource<T>(source: Source, use: (source: Source) => Promise<T>): Promise<T> {
  try {
    return await use(source)
  } finally {
    await source.close()
  }
}

const ABOUT: Readonly<Record<Imported['about'], string>> = {
  same: '',
  set: '',
  none: '',
  kept: 'Name, tags, notes and facts of the run there are others than the archive has, and were kept.',
  unknown: 'This server is of an older release: it keeps no name, tags, notes and facts.',
}

function importText({ rid, origin, sent, skipped, beyond, about }: Imported): string {
  const lines = [`run "${rid}": ${sent + skipped} draws in ${origin.chains.length} chains, as at ${origin.exportedAt}`]
  if (skipped > 0) lines.push(`${skipped} draws were there already.`)
  if (beyond > 0) lines.push(`The run there has ${beyond} draws more than the archive.`)
  if (ABOUT[about] !== '') lines.push(ABOUT[about])
  return lines.join('\n')
}

export const ARCHIVE_COMMANDS: readonly Command[] = [exportCommand, importCommand]
