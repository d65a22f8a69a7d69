/** The wire schema explains itself: each message and field has a comment, and docs/protocol.md names all of them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const FOLDER = join(ROOT, 'protobufs')
const FILES = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.proto'))
/** Packages that the pages leave out of types' names. */
const UNNAMED = 'mcbackend.'

/** Rows of the table of messages: fields by the message's name. */
const TOLD = new Map(
  [...readFileSync(join(ROOT, 'docs/protocol.md'), 'utf8').matchAll(/^\| `(\w+)` +\| (.*=.*) \|$/gm)].map(
    ([, message = '', fields = '']) => [message, [...fields.matchAll(/`([^`]+=\d+)`/g)].map(([, field]) => field)],
  ),
)

/** Messages of a schema, by their text. */
function messagesOf(text: string): protobuf.Type[] {
  const { root } = protobuf.parse(text, new protobuf.Root(), { keepCase: true, alternateCommentMode: true })
  const found: protobuf.Type[] = []
  const search = (space: protobuf.NamespaceBase) => {
    for (const nested of space.nestedArray) {
      if (nested instanceof protobuf.Type) found.push(nested)
      if (nested instanceof protobuf.Namespace) search(nested)
    }
  }
  search(root)
  return found
}

/** Messages, fields and oneofs that no comment explains. */
function unexplained(text: string): string[] {
  return messagesOf(text)
    .flatMap((message) => [message, ...message.fieldsArray, ...message.oneofsArray])
    .filter(({ comment }) => comment === null || comment.trim() === '')
    .map(({ fullName }) => fullName)
}

/** A field as pages write it: `repeated Column draws=3`. */
function written(field: protobuf.Field): string {
  const type = field.type.startsWith(UNNAMED) ? field.type.slice(UNNAMED.length) : field.type
  const whole = field instanceof protobuf.MapField ? `map<${field.keyType}, ${type}>` : type
  return `${field.repeated ? 'repeated ' : ''}${whole} ${field.name}=${field.id}`
}

describe.each(FILES)('%s', (file) => {
  const text = readFileSync(join(FOLDER, file), 'utf8')

  test('a comment for each message, field and oneof', () => {
    expect(unexplained(text)).toEqual([])
  })

  test('the protocol names its messages, with all fields and their numbers', () => {
    const messages = messagesOf(text)
    expect(messages.length).toBeGreaterThan(0)
    for (const { name, fieldsArray } of messages)
      expect([name, TOLD.get(name)]).toEqual([name, fieldsArray.map(written)])
  })
})

test('names what has no comment', () => {
  const text = `syntax = "proto3";
    package p;
    // Has one.
    message A {
      int32 bare = 1;
      // Has one.
      int32 told = 2;
      oneof kind {
        // Has one.
        bool flag = 3;
      }
    }
    message B {}`
  expect(unexplained(text)).toEqual(['.p.A.bare', '.p.A.kind', '.p.B'])
})
