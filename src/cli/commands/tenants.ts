/** Commands about tenants, and about the key in use. */
import type { JsonObject } from '../../core/json.ts'
import { cell, listIn, recordOf } from '../answers.ts'
import { UsageError } from '../cli-error.ts'
import { type Command, type Shown, segment } from '../command.ts'
import { limitsIn } from '../options.ts'
import { type Cell, sizeText, table } from '../table.ts'
import { requireYes, YES, YES_HELP } from './shared.ts'

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
  examples: [usage.replace('NAME', 'lab').replace('ID', 'o5AZ1uj3kfwN3Jwu4P')],
  args: 1,
  run: async ({ call }, [name = '']) => oneTenant(await call('PATCH', `/v1/tenants/${segment(name)}`, { suspended })),
})

export const TENANT_COMMANDS: readonly Command[] = [
  {
    usage: 'whoami',
    about: 'tenant, key, limits and usage of the key in use',
    examples: ['whoami'],
    args: 0,
    run: async ({ call }) => {
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
    examples: ['tenants --json'],
    args: 0,
    run: async ({ call }) => {
      const json = await call('GET', '/v1/tenants')
      return { json, text: table(TENANT_HEADS, listIn(json, 'tenants').map(tenantRow)) }
    },
  },
  {
    usage: 'tenants show NAME',
    about: 'one tenant (operator)',
    examples: ['tenants show lab'],
    args: 1,
    run: async ({ call }, [name = '']) => oneTenant(await call('GET', `/v1/tenants/${segment(name)}`)),
  },
  {
    usage: 'tenants create NAME',
    about: 'make a tenant (operator)',
    examples: ['tenants create lab --stored-bytes 20G --runs 5000'],
    options: LIMIT_OPTIONS,
    optionHelp: LIMIT_HELP,
    args: 1,
    run: async ({ call }, [tenant], given) =>
      oneTenant(await call('POST', '/v1/tenants', { tenant, limits: limitsIn(given) })),
  },
  {
    usage: 'tenants limit NAME',
    about: 'change limits (operator)',
    examples: ['tenants limit lab --requests-per-minute none'],
    options: LIMIT_OPTIONS,
    optionHelp: LIMIT_HELP,
    args: 1,
    run: async ({ call }, [name = ''], given) => {
      const limits = limitsIn(given)
      if (Object.keys(limits).length === 0) throw new UsageError(`name a limit: ${LIMIT_HELP[0]}`)
      return oneTenant(await call('PATCH', `/v1/tenants/${segment(name)}`, { limits }))
    },
  },
  change('tenants suspend NAME', 'its keys get 403 until it is resumed (operator)', true),
  change('tenants resume NAME', 'its keys work again (operator)', false),
  {
    usage: 'tenants delete NAME',
    about: 'delete it with its keys, runs and draws (operator)',
    examples: ['tenants delete lab --yes'],
    options: YES,
    optionHelp: YES_HELP,
    args: 1,
    run: async ({ call }, [name = ''], given) => {
      requireYes(given, `tenant "${name}" with all its keys, runs and draws`)
      await call('DELETE', `/v1/tenants/${segment(name)}`)
      return { json: {}, text: `tenant "${name}" is deleted` }
    },
  },
]
