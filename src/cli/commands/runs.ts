/** Commands that list runs, show one, and change what is said of it. */
import { readFileSync } from 'node:fs'
import type { HttpRun } from '../../client/index.ts'
import type { AboutPatch } from '../../core/about.ts'
import { isMcbError } from '../../core/errors.ts'
import type { RunAbout } from '../../core/interfaces.ts'
import { type JsonObject, jsonText } from '../../core/json.ts'
import { cell, listIn, recordOf } from '../answers.ts'
import { CliError, UsageError } from '../cli-error.ts'
import { type Command, type Context, type Given, type Shown, segment, textOf, textsOf } from '../command.ts'
import { countIn, pastIn } from '../options.ts'
import { type Call, requireRun } from '../server.ts'
import { table } from '../table.ts'
import { shown, shownLines } from '../terminal.ts'
import { requireYes, YES, YES_HELP } from './shared.ts'

/** Runs that one request asks for at most. */
const PAGE = 1000
/** Columns of the terminal for a name, and for all tags of a run. */
const NAME_COLUMNS = 20
const TAG_COLUMNS = 24
/** Columns of the terminal for the value of an attribute or a fact. */
const VALUE_COLUMNS = 100
/** Attempts at a change that others' changes come between. */
const ATTEMPTS = 10

const list: Command = {
  usage: 'runs list',
  about: 'the latest runs, or those that are asked for',
  options: {
    q: { type: 'string' },
    tag: { type: 'string', multiple: true },
    attr: { type: 'string', multiple: true },
    since: { type: 'string' },
    until: { type: 'string' },
    'updated-since': { type: 'string' },
    archived: { type: 'string' },
    limit: { type: 'string' },
  },
  optionHelp: [
    '--q TEXT             part of the id or the name',
    '--tag TAG            with this tag; repeated: with all of them',
    '--attr KEY=VALUE     with this attribute in the metadata; repeated: with all of them',
    '--since WHEN         registered since: 12h or 30d ago, 2026-11-28, or 2026-11-28T09:30:00Z',
    '--until WHEN         registered before',
    '--updated-since WHEN written to since then',
    '--archived WHICH     true: archived ones alone; any: these as well   [false]',
    '--limit N            how many   [100]',
  ],
  examples: ['runs', 'runs list --q schools --tag paper --since 7d', 'runs list --attr model=radon --json'],
  args: 0,
  run: async ({ call }, _args, given) => {
    const json = await runsOf(call, searchOf(given), countIn(given, 'limit', 1e6) ?? 100)
    const rows = listIn(json, 'runs').map((run) => [
      cell(run.rid),
      cell(run.name),
      cell(run.state),
      cell(run.chains),
      cell(run.draws),
      minuteOf(run),
      cell(run.tags),
    ])
    const most = [undefined, NAME_COLUMNS, undefined, undefined, undefined, undefined, TAG_COLUMNS]
    const text = fitted(table(['RUN', 'NAME', 'STATE', 'CHAINS', 'DRAWS', 'UPDATED', 'TAGS'], rows, most))
    return { json, text: json.nextCursor === undefined ? text : `${text}\n… and more: --limit` }
  },
}

/** The last write to the minute: a line has to fit the terminal. */
function minuteOf({ updatedAt }: JsonObject): string {
  return typeof updatedAt === 'string' ? `${updatedAt.slice(0, 16).replace('T', ' ')}Z` : '-'
}

/** A table whose last column may be cut at the end of the terminal's lines. */
function fitted(text: string): string {
  const { isTTY, columns } = process.stdout
  if (!isTTY) return text
  return text
    .split('\n')
    .map((line) => shown(line, columns))
    .join('\n')
}

/** Parameters of the list by the options that are given. */
function searchOf(given: Given): URLSearchParams {
  const search = new URLSearchParams()
  const once = {
    q: textOf(given, 'q'),
    since: pastIn(given, 'since'),
    until: pastIn(given, 'until'),
    updatedSince: pastIn(given, 'updated-since'),
    archived: textOf(given, 'archived'),
  }
  for (const [name, value] of Object.entries(once)) if (value !== undefined) search.set(name, value)
  for (const tag of textsOf(given, 'tag')) search.append('tag', tag)
  for (const attribute of textsOf(given, 'attr')) {
    const [, key, value] = /^([^=]+)=([\s\S]*)$/.exec(attribute) ?? []
    if (key === undefined || value === undefined) throw new UsageError('--attr must be as KEY=VALUE')
    search.append(`attr.${key}`, value)
  }
  return search
}

/** As many runs as are asked for, from as many pages as that takes. */
async function runsOf(call: Call, search: URLSearchParams, most: number): Promise<JsonObject> {
  const isFiltered = search.size > 0
  const runs: JsonObject[] = []
  for (let left = most; ; ) {
    search.set('limit', String(Math.max(1, Math.min(left, PAGE))))
    const { nextCursor, ...page } = await call('GET', `/v1/runs?${search}`)
    const found = listIn(page, 'runs')
    if (isFiltered && found.some((run) => run.state === undefined)) {
      throw new CliError(
        'this server is of an older release, which finds no runs: it lists all of them, without options',
      )
    }
    runs.push(...found.slice(0, left))
    left -= found.length
    if (left > 0 && typeof nextCursor === 'string') search.set('cursor', nextCursor)
    else return { runs, ...(nextCursor !== undefined && { nextCursor }) }
  }
}

const show: Command = {
  usage: 'runs show RID',
  about: 'metadata, name, notes, chains, attributes and facts of a run',
  examples: ['runs show my-run', 'runs show my-run --json'],
  args: 1,
  run: async ({ call }, [rid = '']) => {
    const path = `/v1/runs/${segment(rid)}`
    const meta = await call('GET', path)
    const { chains = [] } = await call('GET', `${path}/chains`)
    const about = await call('GET', `${path}/about`).catch((error: unknown) => {
      // A server of an older release.
      if (error instanceof CliError && error.code === 'not_found') return undefined
      throw error
    })
    const json = { ...meta, chains, ...(about !== undefined && { about }) }
    const parts = [
      ...(about === undefined ? [] : [headOf(about)]),
      table(['NAME', 'KIND', 'DTYPE', 'SHAPE', 'DIMS'], columnsOf(meta)),
      table(
        ['CHAIN', 'DRAWS', 'UPDATED'],
        listIn(json, 'chains').map((chain) => [cell(chain.chain), cell(chain.length), cell(chain.updatedAt)]),
      ),
      ...(about === undefined ? [] : (['attributes', 'facts'] as const).flatMap((member) => valuesOf(about, member))),
    ]
    return { json, text: parts.join('\n\n') }
  },
}

function columnsOf(meta: JsonObject) {
  return (['variables', 'sampleStats'] as const).flatMap((kind) =>
    listIn(meta, kind).map((variable) => [
      cell(variable.name),
      kind === 'variables' ? 'variable' : 'sampler stat',
      cell(variable.dtype),
      variable.undefinedNdim === true ? 'varies' : `[${String(cell(variable.shape) ?? '')}]`,
      cell(variable.dims),
    ]),
  )
}

/** Name, notes and state of a run, a line each. */
function headOf(about: JsonObject): string {
  const { notes } = about
  const rows = (
    [
      ['run', about.rid],
      ['name', about.name],
      ['tags', about.tags],
      ['state', about.state],
      ['archived', about.archived],
      ['registered', about.createdAt],
      ['updated', about.updatedAt],
      ['diagnostics', diagnosticsOf(about)],
    ] as const
  ).map(([name, value]) => [name, cell(value)])
  const head = table(['', ''], rows, [undefined, VALUE_COLUMNS]).trim()
  return typeof notes === 'string' && notes !== '' ? `${head}\n\n${shownLines(notes)}` : head
}

function diagnosticsOf({ diagnostics }: JsonObject): string | null {
  const { status, rhat, essBulk, divergences } = recordOf(diagnostics)
  if (status === undefined) return null
  const texts = { rhat, 'bulk ESS': essBulk, divergences }
  // A summary alone tells no status.
  const told = status === null ? [] : [cell(status)]
  return [...told, ...Object.entries(texts).map(([name, value]) => `${name} ${String(cell(value) ?? '-')}`)].join(', ')
}

function valuesOf(about: JsonObject, member: 'attributes' | 'facts'): string[] {
  const rows = Object.entries(recordOf(about[member])).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : jsonText(value),
  ])
  const heads = [member === 'facts' ? 'FACT' : 'ATTRIBUTE', 'VALUE']
  return rows.length === 0 ? [] : [table(heads, rows, [40, VALUE_COLUMNS])]
}

const name: Command = {
  usage: 'runs name RID [NAME]',
  about: 'give a run a name; with --clear, none',
  options: { clear: { type: 'boolean' } },
  optionHelp: ['--clear              take the name away'],
  examples: ['runs name my-run "Eight schools, non-centred"'],
  args: [1, 2],
  run: async ({ backend }, [rid = '', given], { clear }) => {
    if ((given === undefined) === (clear !== true)) throw new UsageError('give a name, or --clear')
    return changed(await requireRun(backend, rid), () => ({ name: given ?? null }))
  },
}

const tag: Command = {
  usage: 'runs tag RID',
  about: 'add tags to a run, or remove them',
  options: { add: { type: 'string', multiple: true }, remove: { type: 'string', multiple: true } },
  optionHelp: [
    '--add TAG            add this tag; may be repeated',
    '--remove TAG         remove this tag; may be repeated',
    '                     without either, the tags are shown',
  ],
  examples: ['runs tag my-run --add paper --add radon --remove draft'],
  args: 1,
  run: async ({ backend }, [rid = ''], given) => {
    const run = await requireRun(backend, rid)
    const [added, removed] = [textsOf(given, 'add'), textsOf(given, 'remove')]
    if (added.length + removed.length === 0) return toldAbout(await run.about())
    return changed(run, ({ tags }) => ({ tags: [...new Set([...tags, ...added])].filter((t) => !removed.includes(t)) }))
  },
}

const note: Command = {
  usage: 'runs note RID [TEXT]',
  about: 'write notes on a run, from TEXT or the standard input',
  options: { append: { type: 'boolean' }, clear: { type: 'boolean' } },
  optionHelp: [
    '--append             add to the notes that there are, on a line of its own',
    '--clear              take the notes away',
    '                     at a terminal without TEXT, the notes are shown',
  ],
  examples: ['runs note my-run "priors as in the paper"', 'runs note my-run --append < log.md'],
  args: [1, 2],
  run: async ({ backend }, [rid = '', text], { append, clear }) => {
    const run = await requireRun(backend, rid)
    if (clear === true) return changed(run, () => ({ notes: null }))
    if (text === undefined && process.stdin.isTTY) {
      const { notes } = await run.about()
      return { json: { rid, notes }, text: shownLines(notes ?? 'none') }
    }
    const given = text ?? readFileSync(0, 'utf8')
    // A script whose standard input is empty must not wipe what somebody has written.
    if (given === '') throw new UsageError('no notes came on the standard input; --clear takes them away')
    return changed(run, ({ notes }) => ({
      notes: append === true && notes ? `${notes.replace(/\n$/, '')}\n${given}` : given,
    }))
  },
}

const archive: Command = {
  usage: 'runs archive RID',
  about: 'leave a run out of lists; its draws stay, and can be read',
  options: { undo: { type: 'boolean' } },
  optionHelp: ['--undo               list it again'],
  examples: ['runs archive my-run', 'runs archive my-run --undo', 'runs list --archived true'],
  args: 1,
  run: async ({ backend }, [rid = ''], { undo }) =>
    changed(await requireRun(backend, rid), () => ({ archived: undo !== true })),
}

/** Changes what is said of a run by what was said, again where somebody else has changed it meanwhile. */
async function changed(run: HttpRun, change: (about: RunAbout) => AboutPatch): Promise<Shown> {
  for (let attempt = 1; ; attempt++) {
    const about = await run.about()
    try {
      return toldAbout(await run.setAbout(change(about), { ifMatch: about.etag }))
    } catch (error) {
      if (!isMcbError(error, 'about_changed') || attempt === ATTEMPTS) throw error
    }
  }
}

function toldAbout({ rid, name, tags, notes, archived }: RunAbout): Shown {
  const json = { rid, name, tags, notes, archived }
  const lines = [
    `run       ${rid}`,
    `name      ${shown(name ?? '-')}`,
    `tags      ${shown(tags.join(', ') || '-')}`,
    `archived  ${archived ? 'yes' : 'no'}`,
    `notes     ${notes ? `${new TextEncoder().encode(notes).length} bytes` : '-'}`,
  ]
  return { json, text: lines.join('\n') }
}

const remove: Command = {
  usage: 'runs delete RID',
  about: 'delete a run with its draws (admin key)',
  options: YES,
  optionHelp: YES_HELP,
  examples: ['runs delete my-run --yes'],
  args: 1,
  run: async ({ call }: Context, [rid = ''], given) => {
    requireYes(given, `run "${rid}" with all its draws`)
    await call('DELETE', `/v1/runs/${segment(rid)}`)
    return { json: {}, text: `run "${rid}" is deleted` }
  },
}

export const RUN_COMMANDS: readonly Command[] = [list, show, name, tag, note, archive, remove]
