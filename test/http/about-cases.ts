/** Requests for names, notes and facts, and questions to the list of runs, that must be refused. */
import { type Body, JSON_TYPE } from './api.ts'
import { type Case, get } from './case.ts'

const MERGE_PATCH = 'application/merge-patch+json'
const ABOUT = '/v1/runs/r/about'

export const jsonBytes = (value: unknown): Body => new TextEncoder().encode(JSON.stringify(value))
export const patch = (body: Body, headers: { readonly [name: string]: string } = {}, path = ABOUT) =>
  ['PATCH', path, { body, headers: { 'Content-Type': MERGE_PATCH, ...headers } }] as const

const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) })

const lists = (levels: number): unknown => (levels === 0 ? 1 : [lists(levels - 1)])

export const ABOUT_CASES: readonly Case[] = [
  ...[
    { owner: 'me' },
    { revision: 3 },
    { attributes: {} },
    [],
    'text',
    null,
    { name: 1 },
    { name: 'x'.repeat(201) },
    { tags: 'one' },
    { tags: [1] },
    { tags: [''] },
    { tags: ['x'.repeat(65)] },
    { tags: Array.from({ length: 51 }, (_, i) => `${i}`) },
    { notes: {} },
    { archived: 'yes' },
    { facts: [] },
    { facts: deep(65) },
    { facts: { a: lists(64) } },
    JSON.parse('{"__proto__":{}}'),
  ].map(
    (value): Case => ({
      what: JSON.stringify(value).slice(0, 40),
      code: 'invalid_about',
      request: patch(jsonBytes(value)),
    }),
  ),
  ...[
    '{"name":"a","name":"b"}',
    '{"facts":{"z":1,"z":2}}',
    '{"facts":{"a":1e400}}',
    '{"facts":{"a":[-1e999]}}',
    `{"facts":{"a":${'9'.repeat(401)}}}`,
  ].map(
    (text): Case => ({ what: text.slice(0, 30), code: 'invalid_json', request: patch(new TextEncoder().encode(text)) }),
  ),
  ...['', '{', '{"name":"\\ud800"}', '{"\\udc00":1}', "{'name':1}", '{"name":1}x', '['.repeat(1000), '{"a":01}'].map(
    (text): Case => ({
      what: `patch ${text.slice(0, 20)}`,
      code: 'invalid_json',
      request: patch(new TextEncoder().encode(text)),
    }),
  ),
  { what: 'a patch of no UTF-8', code: 'invalid_json', request: patch(new Uint8Array([0x22, 0xff, 0x22])) },
  ...['text/plain', 'application/x-protobuf', 'application/json-patch+json'].map(
    (type): Case => ({
      what: `a patch as ${type}`,
      code: 'unsupported_media_type',
      request: patch(jsonBytes({}), { 'Content-Type': type }),
    }),
  ),
  ...['"x"', 'x', '', '"a", "b"'].map(
    (condition): Case => ({
      what: `If-Match: ${condition}`,
      code: 'about_changed',
      // The body, which is wrong as well, is judged later.
      request: patch(jsonBytes({ owner: 1 }), { 'If-Match': condition, 'Content-Type': 'text/plain' }),
    }),
  ),
  {
    what: 'a patch for another registration',
    code: 'run_replaced',
    request: patch(jsonBytes({}), { 'Mcb-Registration': 'x' }),
  },
  {
    what: 'names of another registration',
    code: 'run_replaced',
    request: get(ABOUT, { 'Mcb-Registration': 'x' }),
  },
  { what: 'a patch of no run', code: 'run_not_found', request: patch(jsonBytes({}), {}, '/v1/runs/none/about') },
  { what: 'names of no run', code: 'run_not_found', request: get('/v1/runs/none/about', { Accept: JSON_TYPE }) },
  ...[
    'name=x',
    'Q=x',
    'q=a&q=b',
    'limit=1&limit=2',
    'attr=x',
    'archived=yes',
    'q=%ff',
    'tag=%E0%A4%A',
    '=5',
    'archived=',
    'archived=true&archived=any',
    'since=yesterday',
    'since=',
    'since=2026-02-30',
    'since=2026-13-01',
    'since=2026-11-28T10:00:00',
    'since=2026-11-28T25:00:00Z',
    'since=2026-11-28T10:00:00%2B24:00',
    'until=2026-11-28T10:00Z',
    'updatedSince=1764320000',
    Array.from({ length: 51 }, (_, i) => `tag=${i}`).join('&'),
    Array.from({ length: 11 }, (_, i) => `attr.a${i}=1`).join('&'),
  ].map((query): Case => ({ what: query.slice(0, 40), code: 'invalid_parameter', request: get(`/v1/runs?${query}`) })),
]
