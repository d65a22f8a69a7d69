/** The order of paths, and the end of a prefix, against plain comparisons. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { behindPrefix, byPath, requireStagedPath, stagedBytes } from '../../src/core/staging.ts'

const text = (minLength: number) =>
  fc.string({
    unit: fc.oneof(
      fc.constantFrom('a', '/', '\u{d7ff}', '\u{e000}', '\uffff', '\u{10ffff}'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
    minLength,
    maxLength: 6,
  })

test('objects are in the order of the bytes of their paths', () => {
  fc.assert(
    fc.property(fc.array(text(0), { maxLength: 20 }), (paths) => {
      const sorted = byPath(paths.map((path) => ({ path, size: 0 }))).map(({ path }) => Buffer.from(path))
      for (const [i, path] of sorted.slice(1).entries())
        expect(Buffer.compare(sorted[i] ?? path, path)).toBeLessThanOrEqual(0)
      expect(sorted.map(String).sort()).toEqual([...paths].sort())
    }),
  )
})

test('a text begins with a prefix exactly when it lies from there to what is behind the prefix', () => {
  fc.assert(
    fc.property(text(0), text(0), fc.boolean(), (prefix, other, isPrefixed) => {
      const path = Buffer.from(isPrefixed ? prefix + other : other)
      const behind = behindPrefix(prefix)
      const isBefore = behind === undefined || Buffer.compare(path, Buffer.from(behind)) < 0
      expect(Buffer.compare(path, Buffer.from(prefix)) >= 0 && isBefore).toBe(String(path).startsWith(prefix))
    }),
    { numRuns: 2000 },
  )
})

test('a path is bounded in bytes, not in characters', () => {
  requireStagedPath('ä'.repeat(512))
  expect(() => requireStagedPath(`${'ä'.repeat(512)}x`)).toThrow('at most 1024 bytes')
  expect(stagedBytes('ä', 7)).toBe(109)
})
