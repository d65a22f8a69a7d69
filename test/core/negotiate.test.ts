/** The media type that an `Accept` asks for (docs/protocol.md §2). */
import { expect, test } from 'vitest'
import { negotiate } from '../../src/http/negotiate.ts'

const PROTOBUF = 'application/x-protobuf'
const ALIAS = 'application/protobuf'
const JSON_TYPE = 'application/json'

test.each([
  [undefined, PROTOBUF],
  ['', PROTOBUF],
  ['*/*', PROTOBUF],
  ['application/*', PROTOBUF],
  [PROTOBUF, PROTOBUF],
  [ALIAS, ALIAS],
  [JSON_TYPE, JSON_TYPE],
  ['APPLICATION/JSON', JSON_TYPE],
  ['application/json; charset=utf-8', JSON_TYPE],
  // At equal q a type named beats a wildcard.
  ['application/json, */*', JSON_TYPE],
  ['*/*, application/json', JSON_TYPE],
  ['application/json, application/*', JSON_TYPE],
  ['*/*;q=0.5, application/json;q=0.5', JSON_TYPE],
  ['application/protobuf, */*', ALIAS],
  // Both named: protobuf, unless JSON is preferred.
  ['application/json, application/x-protobuf', PROTOBUF],
  ['application/json, application/protobuf', ALIAS],
  ['application/json;q=0.9, application/x-protobuf;q=0.8', JSON_TYPE],
  ['application/json;q=0.8, application/x-protobuf;q=0.9', PROTOBUF],
  ['application/json;q=0.8, */*', PROTOBUF],
  ['application/json, */*;q=0.1', JSON_TYPE],
  ['application/x-protobuf;q=0.001, application/json;q=0', PROTOBUF],
  ['application/x-protobuf;q=0, application/protobuf;q=0, */*', JSON_TYPE],
  ['application/json;q=0, */*;q=0.1', PROTOBUF],
  ['text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8', PROTOBUF],
  ['text/html, application/json;q=0.2', JSON_TYPE],
  ['application/json;Q=0.5, application/x-protobuf ; q=0.4', JSON_TYPE],
  [' application/json ,, ', JSON_TYPE],
])('%s gets %s', (accept, expected) => {
  expect(negotiate(accept)).toBe(expected)
})

test.each([
  'text/html',
  'application/xml, text/*',
  'application/json;q=0',
  '*/*;q=0',
  'application/*;q=0',
  'application/json;q=0, application/x-protobuf;q=0.0, application/protobuf;q=0.000',
  'application',
  'json',
])('%s cannot be met', (accept) => {
  expect(() => negotiate(accept)).toThrow(expect.objectContaining({ code: 'not_acceptable', status: 406 }))
})
