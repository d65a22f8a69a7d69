/** The commands of `mcb`: each with its help, its options, and its output. */
import type { ParseArgsOptionsConfig } from 'node:util'
import { cell, listIn, recordOf } from './answers.ts'
import { CliError } from './cli-error.ts'
import { limitsIn, timeIn } from './options.ts'
import type { Call, JsonObject } from './server.ts'
import { type Cell, sizeText, table } from './table.ts'

export interface Given {
  readonly [option: string]: string | boolean | undefined
}

export interface Command {
  /** The command and its arguments, as typed behind `mcb`. */
  readonly usage: string
  readonly about: string
  readonly options?: ParseArgsOptionsConfig
  /** Lines of help about the options. */
  readonly optionHelp?: readonly string[]
  readonly args: number
  run(call: Call, args: readonly string[], given: Given): Promise<Shown>
}

/** The output of a command: the server's answer, and a text for people. */
export interface Shown {
  readonly json: JsonObject
  readonly text: string
}

const LIMIT_OPTIONS = {
  'requests-per-minute': { type: 'string' },
  'stored-bytes': { type: 'string' },
  runs: { type: 'string' },
  'body-bytes': { type: 'string' },
} as const
const LIMIT_HELP = [
  '--requests-per-minute N   --stored-bytes N   --runs N   --body-bytes N',
  '                     limits: a number, with K, M, G or T for binary multiples, or "none"',
]
const EXPIRES_HELP = '--expires WHEN       12h, 30d, or a time as 2026-12-31T23:59:59Z; never when not given'
const YES = { yes: { type: 'boolean' } } as const
const YES_HELP = ['--yes                really delete']

const segment = encodeURIComponent

function requireYes(given: Given, what: string): void {
  if (given.yes !== true) throw new CliError(`this deletes ${what} for good; say --yes`)
}

const limitCells = ({ limits }: JsonObject): Cell[] => {
  const { requestsPerMinute, storedBytes, runs, bodyBytes } = recordOf(limits)
  return [cell(requestsPerMinute), cell(runs), sizeText(storedBytes), sizeText(bodyBytes)]
}
const TENANT_HEADS = [
  'TENANT',
  'STATE',
  'RUNS',
  'STORED',
  'MAX REQ/MIN',
  'MAX RUNS',
  'MAX STORED',
  'MAX BODY',
  'CREATED',
]
const tenantRow = (tenant: JsonObject): Cell[] => {
  const { runs, storedBytes } = recordOf(tenant.usage)
  const state = tenant.suspended === true ? 'suspended' : 'active'
  return [cell(tenant.tenant), state, cell(runs), sizeText(storedBytes), ...limitCells(tenant), cell(tenant.createdAt)]
}
const oneTenant = (json: JsonObject): Shown => ({ json, text: table(TENANT_HEADS, [tenantRow(json)]) })

const change = (usage: string, about: string, suspended: boolean): Command => ({
  usage,
  about,
  args: 1,
  run: async (call, [name = '']) => oneTenant(await call('PATCH', `/v1/tenants/${segment(name)}`, { suspended })),
})

const keyList = (usage: string, about: string, isMeant: (key: JsonObject) => boolean): Command => ({
  usage,
  about,
  args: 0,
  run: async (call) => {
    const keys = listIn(await call('GET', '/v1/keys'), 'keys').filter(isMeant)
    const columns = ['id', 'name', 'scopes', 'run', 'createdAt', 'expiresAt', 'lastUsedAt']
    const rows = keys.map((key) => columns.map((column) => cell(key[column])))
    const heads = ['ID', 'NAME', 'SCOPES', 'RUN', 'CREATED', 'EXPIRES', 'LAST USED']
    return { json: { keys }, text: table(heads, rows) }
  },
})

const revocation = (usage: string, about: string): Command => ({
  usage,
  about,
  args: 1,
  run: async (call, [id = '']) => {
    await call('DELETE', `/v1/keys/${segment(id)}`)
    return { json: {}, text: `key ${id} is revoked; everywhere within 60 s` }
  },
})

const newKeyText = (json: JsonObject): string =>
  `${String(json.key)}\n\nThis is the only time that the key is shown. Its id is ${String(json.id)}.`

export const COMMANDS: readonly Command[] = [
  {
    usage: 'whoami',
    about: 'tenant, key, limits and usage of the key in use',
    args: 0,
    run: async (call) => {
      const json = await call('GET', '/v1/whoami')
      const [key, usage] = [recordOf(json.key), recordOf(json.usage)]
      const [perMinute, runs, stored, body] = limitCells(json)
      const kept: Cell[][] = [
        ['requests a minute', perMinute === null ? 'no limit' : String(perMinute)],
        ['runs', `${String(usage.runs)} of ${runs === null ? 'any number' : String(runs)}`],
        ['stored', `${sizeText(usage.storedBytes)} of ${stored === '-' ? 'any size' : String(stored)}`],
      ]
      const rows: Cell[][] = [
        ['tenant', json.tenant === null ? 'not told to a key of one run' : cell(json.tenant)],
        ['key', json.key === null ? 'none: this server has no keys' : `${String(key.name)} (${String(key.id)})`],
        ['scopes', cell(json.scopes)],
        ['run', json.run === null ? 'all' : cell(json.run)],
        ...(json.usage === null ? [] : kept),
        ['largest body', body],
      ]
      return { json, text: table(['', ''], rows).trim() }
    },
  },
  {
    usage: 'tenants',
    about: 'all tenants, with what they keep (operator)',
    args: 0,
    run: async (call) => {
      const json = await call('GET', '/v1/tenants')
      return { json, text: table(TENANT_HEADS, listIn(json, 'tenants').map(tenantRow)) }
    },
  },
  {
    usage: 'tenants show NAME',
    about: 'one tenant (operator)',
    args: 1,
    run: async (call, [name = '']) => oneTenant(await call('GET', `/v1/tenants/${segment(name)}`)),
  },
  {
    usage: 'tenants create NAME',
    about: 'make a tenant (operator)',
    options: LIMIT_OPTIONS,
    optionHelp: LIMIT_HELP,
    args: 1,
    run: async (call, [tenant], given) =>
      oneTenant(await call('POST', '/v1/tenants', { tenant, limits: limitsIn(given) })),
  },
  {
    usage: 'tenants limit NAME',
    about: 'change limits (operator)',
    options: LIMIT_OPTIONS,
    optionHelp: LIMIT_HELP,
    args: 1,
    run: async (call, [name = ''], given) => {
      const limits = limitsIn(given)
      if (Object.keys(limits).length === 0) throw new CliError(`name a limit: ${LIMIT_HELP[0]}`)
      return oneTenant(await call('PATCH', `/v1/tenants/${segment(name)}`, { limits }))
    },
  },
  change('tenants suspend NAME', 'its keys get 403 until it is resumed (operator)', true),
  change('tenants resume NAME', 'its keys work again (operator)', false),
  {
    usage: 'tenants delete NAME',
    about: 'delete it with its keys, runs and draws (operator)',
    options: YES,
    optionHelp: YES_HELP,
    args: 1,
    run: async (call, [name = ''], given) => {
      requireYes(given, `tenant "${name}" with all its keys, runs and draws`)
      await call('DELETE', `/v1/tenants/${segment(name)}`)
      return { json: {}, text: `tenant "${name}" is deleted` }
    },
  },
  keyList('keys', 'the keys of the tenant (admin key)', () => true),
  {
    usage: 'keys create NAME',
    about: 'make a key (admin key; the operator with --tenant)',
    options: {
      scopes: { type: 'string' },
      expires: { type: 'string' },
      run: { type: 'string' },
      tenant: { type: 'string' },
    },
    optionHelp: [
      '--scopes LIST        read, write or admin, with commas between   [read]',
      EXPIRES_HELP,
      '--run RID            a key for this run alone',
      '--tenant NAME        a key of this tenant (operator)',
    ],
    args: 1,
    run: async (call, [name], given) => {
      const { scopes = 'read', run = null, tenant } = given
      const body = { name, scopes: String(scopes).split(','), run, expiresAt: timeIn(given.expires) }
      const path = tenant === undefined ? '/v1/keys' : `/v1/tenants/${segment(String(tenant))}/keys`
      const json = await call('POST', path, body)
      return { json, text: newKeyText(json) }
    },
  },
  revocation('keys revoke ID', 'revoke a key (admin key)'),
  {
    usage: 'runs',
    about: 'the latest runs',
    options: { limit: { type: 'string' } },
    optionHelp: ['--limit N            how many, up to 1000   [100]'],
    args: 0,
    run: async (call, _args, given) => {
      const json = await call('GET', `/v1/runs?limit=${segment(String(given.limit ?? 100))}`)
      const columns = ['rid', 'variables', 'sampleStats', 'chains', 'draws', 'createdAt', 'updatedAt']
      const rows = listIn(json, 'runs').map((run) => columns.map((column) => cell(run[column])))
      const text = table(['RUN', 'VARIABLES', 'STATS', 'CHAINS', 'DRAWS', 'CREATED', 'UPDATED'], rows)
      return { json, text: json.nextCursor === undefined ? text : `${text}\n… and more: --limit` }
    },
  },
  {
    usage: 'runs show RID',
    about: 'metadata and chains of a run',
    args: 1,
    run: async (call, [rid = '']) => {
      const meta = await call('GET', `/v1/runs/${segment(rid)}`)
      const { chains } = await call('GET', `/v1/runs/${segment(rid)}/chains`)
      const json = { ...meta, chains }
      const variables = (['variables', 'sampleStats'] as const).flatMap((kind) =>
        listIn(meta, kind).map((variable) => [
          cell(variable.name),
          kind === 'variables' ? 'variable' : 'sampler stat',
          cell(variable.dtype),
          variable.undefinedNdim === true ? 'varies' : `[${String(variable.shape ?? '')}]`,
        ]),
      )
      const lengths = listIn(json, 'chains').map((chain) => ['chain', 'length', 'updatedAt'].map((c) => cell(chain[c])))
      const parts = [
        table(['NAME', 'KIND', 'DTYPE', 'SHAPE'], variables),
        table(['CHAIN', 'DRAWS', 'UPDATED'], lengths),
      ]
      return { json, text: parts.join('\n\n') }
    },
  },
  {
    usage: 'runs delete RID',
    about: 'delete a run with its draws (admin key)',
    options: YES,
    optionHelp: YES_HELP,
    args: 1,
    run: async (call, [rid = ''], given) => {
      requireYes(given, `run "${rid}" with all its draws`)
      await call('DELETE', `/v1/runs/${segment(rid)}`)
      return { json: {}, text: `run "${rid}" is deleted` }
    },
  },
  keyList('shares', 'links that read a run (admin key)', ({ name }) => String(name).startsWith('share of ')),
  revocation('shares revoke ID', 'end a link (admin key)'),
  {
    usage: 'shares create RID',
    about: 'a link to read a run, to send to somebody (write key)',
    options: { expires: { type: 'string' } },
    optionHelp: [EXPIRES_HELP],
    args: 1,
    run: async (call, [rid = ''], given) => {
      const json = await call('POST', `/v1/runs/${segment(rid)}/shares`, { expiresAt: timeIn(given.expires) })
      const until = json.expiresAt === null ? 'until it is revoked' : `until ${String(json.expiresAt)}`
      return {
        json,
        text: `${String(json.url)}\n\nWhoever has this link reads the run, ${until}. Its id is ${String(json.id)}.`,
      }
    },
  },
]
