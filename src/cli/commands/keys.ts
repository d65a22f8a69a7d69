/** Commands about keys, and about the keys that read one shared run. */
import type { JsonObject } from '../../core/json.ts'
import { cell, listIn } from '../answers.ts'
import { type Command, segment } from '../command.ts'
import { expiryIn } from '../options.ts'
import { table } from '../table.ts'
import { EXPIRES_HELP } from './shared.ts'

const keyList = (usage: string, about: string, isMeant: (key: JsonObject) => boolean): Command => ({
  usage,
  about,
  examples: [`${usage} --json`],
  args: 0,
  run: async ({ call }) => {
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
  examples: [usage.replace('NAME', 'lab').replace('ID', 'o5AZ1uj3kfwN3Jwu4P')],
  args: 1,
  run: async ({ call }, [id = '']) => {
    await call('DELETE', `/v1/keys/${segment(id)}`)
    return { json: {}, text: `key ${id} is revoked; everywhere within 60 s` }
  },
})

const newKeyText = (json: JsonObject): string =>
  `${String(json.key)}\n\nThis is the only time that the key is shown. Its id is ${String(json.id)}.`

export const KEY_COMMANDS: readonly Command[] = [
  keyList('keys', 'the keys of the tenant (admin key)', () => true),
  {
    usage: 'keys create NAME',
    about: 'make a key (admin key; the operator with --tenant)',
    examples: ['keys create sampler --scopes write --expires 90d', 'keys create first --scopes admin --tenant lab'],
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
    run: async ({ call }, [name], given) => {
      const { scopes = 'read', run = null, tenant } = given
      const body = { name, scopes: String(scopes).split(','), run, expiresAt: expiryIn(given) }
      const path = tenant === undefined ? '/v1/keys' : `/v1/tenants/${segment(String(tenant))}/keys`
      const json = await call('POST', path, body)
      return { json, text: newKeyText(json) }
    },
  },
  revocation('keys revoke ID', 'revoke a key (admin key)'),
]

export const SHARE_COMMANDS: readonly Command[] = [
  keyList('shares', 'links that read a run (admin key)', ({ name }) => String(name).startsWith('share of ')),
  revocation('shares revoke ID', 'end a link (admin key)'),
  {
    usage: 'shares create RID',
    about: 'a link to read a run, to send to somebody (write key)',
    examples: ['shares create my-run --expires 30d'],
    options: { expires: { type: 'string' } },
    optionHelp: [EXPIRES_HELP],
    args: 1,
    run: async ({ call }, [rid = ''], given) => {
      const json = await call('POST', `/v1/runs/${segment(rid)}/shares`, { expiresAt: expiryIn(given) })
      const until = json.expiresAt === null ? 'until it is revoked' : `until ${String(json.expiresAt)}`
      return {
        json,
        text: `${String(json.url)}\n\nWhoever has this link reads the run, ${until}. Its id is ${String(json.id)}.`,
      }
    },
  },
]
