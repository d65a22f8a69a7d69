/** Text of others in a log: one line, nothing unseen, and no key. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { newKey } from '../../src/access/key-format.ts'
import { McbError } from '../../src/core/errors.ts'
import { describeError, loggable, oneLine, reportLine } from '../../src/core/log-text.ts'
import { percentDecoded, withoutKeys } from '../../src/core/redaction.ts'

const KEY = newKey('0123456789abcdefGH')
const SECRET = KEY.slice(23)

describe('one line', () => {
  test('whatever the text, it has no control character, and JSON stays what it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(oneLine(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u)
        expect(JSON.parse(oneLine(JSON.stringify(text)))).toBe(text)
      }),
    )
  })

  test.each([
    ['a\nb', 'a\\u000ab'],
    ['\u001b[31m', '\\u001b[31m'],
    ['\u009b31m', '\\u009b31m'],
    ['\u202egnp', '\\u202egnp'],
    ['\u2028', '\\u2028'],
    ['\ud800', '\\ud800'],
    ['\u{e0041}', '\\udb40\\udc41'],
    ['μ[1,2] "x" \\ 漢', 'μ[1,2] "x" \\ 漢'],
  ])('%j', (text, line) => {
    expect(oneLine(text)).toBe(line)
  })

  test('a long text is cut, and its length told; a key that is cut is none', () => {
    expect(loggable('x'.repeat(1_000_000))).toBe(`${'x'.repeat(4096)}…(1000000)`)
    for (let at = 4060; at < 4096; at++) {
      expect(loggable(`${'/'.repeat(at)}${KEY}`)).not.toContain(SECRET.slice(0, 8))
    }
  })

  test('no text takes long', () => {
    const slow = ['a'.repeat(4096), 'bWNiX!'.repeat(700), 'mcb_'.repeat(1024), '%25'.repeat(1365), 'basic '.repeat(683)]
    const begun = performance.now()
    for (let i = 0; i < 100; i++) for (const text of slow) loggable(text)
    // Half a thousand texts; a search that goes back and forth takes minutes.
    expect(performance.now() - begun).toBeLessThan(10_000)
  })
})

test('a share key in a path, whole or not, is none', () => {
  for (const key of [KEY, KEY.slice(0, 30), KEY.slice(9), 'nonsense']) {
    expect(withoutKeys(`GET /s/${key}/data.zarr/zarr.json 401`)).toBe('GET /s/…/data.zarr/zarr.json 401')
    expect(withoutKeys(`"https://draws.example/s/${key}"`)).toBe('"https://draws.example/s/…"')
  }
  expect(withoutKeys('/v1/runs/s/chains')).toBe('/v1/runs/s/chains')
})

describe('keys', () => {
  const hex = (text: string) => Array.from(text, (c) => `%${c.charCodeAt(0).toString(16)}`).join('')
  test.each([
    [KEY],
    [KEY.toUpperCase()],
    [KEY.toLowerCase()],
    [hex(KEY)],
    [hex(KEY).toUpperCase()],
    [hex(hex(KEY))],
    [hex(KEY).replaceAll('%', '%2525')],
    [KEY.replaceAll('_', '%5F')],
    [`/s/${KEY}/chains`],
    [`?key=${KEY}&x=1`],
    [`Authorization: Basic ${btoa(`u:${KEY}`)}`],
    [`http://u:${KEY}@host/`],
    [`"${KEY}"`],
    ...['', 'a', 'ab', 'abc', 'lab-user'].map((user) => [btoa(`${user}:${KEY}`)]),
    ...['', 'a', 'ab'].map((user) => [hex(btoa(`${user}:${KEY}`))]),
    [`Bearer ${hex(KEY)}`],
    ['Bearer%20whatever-it-is'],
  ])('%s', (text) => {
    const left = withoutKeys(text)
    expect(left).toContain('…')
    const bare = percentDecoded(left).toLowerCase()
    for (const secret of [SECRET, btoa(SECRET).slice(4, 16), 'whatever']) {
      for (let at = 0; at + 8 <= secret.length; at++) expect(bare).not.toContain(secret.slice(at, at + 8).toLowerCase())
    }
  })

  test.each(['/v1/runs/my-run/chains/0/draws?var=theta%5B1%2C2%5D', 'the basics', 'mcb_ is how keys begin', ''])(
    'there is none in %j',
    (text) => {
      expect(withoutKeys(text)).toBe(text)
    },
  )
})

test('an error is one line, with its causes, and with its place where it is a defect', () => {
  const forged = '\n2026-11-28T00:00:00.000Z GET /forged 200\n{"audit":{}}\u001b[2K'
  const error = new McbError('storage_unavailable', `no${forged}`, {}, { cause: new TypeError(`${KEY}${forged}`) })
  const line = reportLine(`id${forged}`, error)
  expect(line).not.toMatch(/\p{Cc}/u)
  expect(line).not.toContain(SECRET)
  expect(line).toMatch(/^id\\u000a.* McbError \(storage_unavailable\): no\\u000a.* <- TypeError: mcb_/)
  expect(line).toContain('log-text.test.ts')
  for (const thrown of [undefined, null, 'text\n', 7, { toString: () => 'an\nobject' }]) {
    expect(describeError(thrown)).not.toContain('\n')
  }
  const circle = new Error('round')
  circle.cause = circle
  expect(describeError(circle).length).toBeLessThan(4200)
})
