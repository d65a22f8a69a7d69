/** The development engine as the official clients use it; with CLICKHOUSE_URL set, the server that it stands for. */
import { createClient } from '@clickhouse/client'
import { createClient as createWebClient } from '@clickhouse/client-web'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/clickhouse.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await openDatabase()
}, 300_000)

afterAll(async () => {
  await database?.close()
})

function optionsOf({ options: { url, user, password, database: name } }: TestDatabase) {
  return {
    url,
    // Nothing: the errors are meant.
    log: { level: 127 as const },
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    ...(name !== undefined && { database: name }),
  }
}

const CLIENTS = [
  ['@clickhouse/client', () => createClient(optionsOf(database))],
  ['@clickhouse/client-web', () => createWebClient(optionsOf(database))],
] as const

const NASTY = `it's "a" \\ back\\'slash \`tick\` {x:String} -- no\n comment /* */ \t; μ \0 end`

/** Parameters by type, and the JSON that they read back as. */
const VALUES: readonly (readonly [type: string, value: unknown, read?: unknown])[] = [
  ['String', NASTY],
  ['String', ''],
  ['String', '\\N'],
  ['Nullable(String)', null],
  ['Nullable(String)', 'NULL'],
  ['UInt64', '18446744073709551615'],
  ['Int64', -9, '-9'],
  ['Float64', 1.5],
  ['Bool', true],
  ['Array(String)', [NASTY, '', "',"]],
  ['Array(Array(UInt8))', [[1, 2], []]],
  ['Array(Nullable(Int32))', [1, null]],
  ["DateTime64(3, 'UTC')", new Date(1_700_000_000_123), '2023-11-14 22:13:20.123'],
  ["Enum8('a}' = 1, 'b' = 2)", 'a}'],
]

describe.for(CLIENTS)('%s', ([, open]) => {
  it.for(VALUES)('sends a parameter of %s as %j', async ([type, value, read = value]) => {
    const client = open()
    const answer = await client.query({
      query: `SELECT {value:${type}} AS value, '{value:String}' AS text -- {value:String}`,
      query_params: { value },
      format: 'JSONEachRow',
      clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
    })
    expect(await answer.json()).toEqual([{ value: read, text: '{value:String}' }])
    await client.close()
  })

  it('names tables by parameters, and says what is missing', async () => {
    const client = open()
    const table = 'odd `name` \\ {x:String}'
    await client.command({ query: 'CREATE TABLE {table:Identifier} (n UInt8) ENGINE Memory', query_params: { table } })
    await client.command({ query: 'INSERT INTO {table:Identifier} VALUES (1), (2)', query_params: { table } })
    const query = 'SELECT toInt32(sum(n)) AS sum FROM {table:Identifier} WHERE n <= {most:UInt8} LIMIT {limit:UInt8}'
    const sum = await client.query({ query, query_params: { table, most: 2, limit: 1 }, format: 'JSONEachRow' })
    expect(await sum.json()).toEqual([{ sum: 3 }])
    await client.command({ query: 'DROP TABLE {table:Identifier}', query_params: { table } })
    // UNKNOWN_QUERY_PARAMETER, UNKNOWN_TABLE, SYNTAX_ERROR
    for (const [sql, code] of [
      ['SELECT {absent:String}', '456'],
      ['SELECT * FROM absent', '60'],
      ['SELECT 1 +', '62'],
    ] as const) {
      await expect(client.query({ query: sql })).rejects.toMatchObject({ code })
    }
    await client.close()
  })

  it('sees its settings and its database, also when many ask at once', async () => {
    const client = open()
    const asked = Array.from({ length: 40 }, async (_, i) => {
      const query = `SELECT toInt32(getSetting('max_block_size')) AS size, {i:Int32} AS i, currentDatabase() AS name`
      const settings = { max_block_size: String(1000 + i) }
      const answer = await client.query({
        query,
        query_params: { i },
        clickhouse_settings: settings,
        format: 'JSONEachRow',
      })
      return answer.json()
    })
    const name = database.options.database
    expect(await Promise.all(asked)).toEqual(asked.map((_, i) => [{ size: 1000 + i, i, name }]))
    await client.close()
  })
})

it('/ping answers', async () => {
  const answer = await fetch(new URL('/ping', database.options.url))
  expect([answer.status, await answer.text()]).toEqual([200, 'Ok.\n'])
})
