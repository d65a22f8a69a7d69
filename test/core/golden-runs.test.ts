/** RunMeta of McBackend's own package: read here as it was meant, and ours read there. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { decodeNdArray, encodeNdArray, type NdArrayMessage } from '../../src/core/draws/ndarray.ts'
import { McbError } from '../../src/core/errors.ts'
import { jsonText } from '../../src/core/json.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import {
  acceptRunMeta,
  decodeRunMeta,
  encodeRunMeta,
  equalRunMeta,
  type RunMeta,
} from '../../src/core/wire/run-meta.ts'
import { runMetaToJson } from '../../src/core/wire/run-meta-json.ts'
import { testUnless } from '../support/skip.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { describeArray, type GoldenArray, goldenBytes, goldenNames, goldenRun, goldenText, hex } from './golden.ts'

const NAMES = goldenNames('runmeta')
const KNOWN = /^(bool|u?int(8|16|32|64)|float(32|64)|datetime64\[.+\]|<M8\[.+\]|<U\d+)$/

/** The ndarray that a path such as `coordinates.school` names. */
function arrayAt(meta: RunMeta, path: string): NdArrayMessage {
  const dot = path.indexOf('.')
  const name = path.slice(dot + 1)
  const found = {
    coordinates: () => meta.coordinates?.find((item) => item.name === name)?.values,
    data: () => meta.data?.find((item) => item.name === name)?.value,
    attributes: () => meta.attributes?.[name]?.ndarrayValue,
  }
  for (const [field, find] of Object.entries(found)) if (path.startsWith(`${field}.`)) return find() ?? {}
  throw new Error(`no such path: ${path}`)
}

function unitOf(dtype: string): string | undefined {
  return /\[(.+)\]$/.exec(dtype)?.[1]
}

function expectArray(message: NdArrayMessage, golden: GoldenArray): void {
  const array = decodeNdArray(message)
  expect(describeArray(array)).toEqual({ shape: golden.shape, values: golden.values })
  if (unitOf(golden.dtype) !== undefined) expect(array).toMatchObject({ dtype: 'int64', unit: unitOf(golden.dtype) })
  else if (!golden.dtype.startsWith('<U')) expect(array.dtype).toBe(golden.dtype)
}

/** The message as this project writes it: every array that it knows decoded and encoded again. */
function rewritten(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const meta = decodeRunMeta(bytes)
  const again = (array: NdArrayMessage | null | undefined) => {
    if (array?.dtype && KNOWN.test(array.dtype)) Object.assign(array, encodeNdArray(decodeNdArray(array)))
  }
  for (const item of meta.coordinates ?? []) again(item.values)
  for (const item of meta.data ?? []) again(item.value)
  for (const value of Object.values(meta.attributes ?? {})) again(value.ndarrayValue)
  return encodeRunMeta(meta)
}

describe('RunMeta that McBackend wrote', () => {
  test.each(NAMES)('%s: canonical JSON', (name) => {
    const text = jsonText(runMetaToJson(decodeRunMeta(goldenBytes(`runmeta/${name}`))))
    expect(JSON.parse(text)).toEqual(goldenRun(name).canonical)
  })

  test.each(NAMES)('%s: arrays', (name) => {
    const meta = decodeRunMeta(goldenBytes(`runmeta/${name}`))
    for (const [path, golden] of Object.entries(goldenRun(name).arrays)) {
      const message = arrayAt(meta, path)
      if (KNOWN.test(golden.dtype)) expectArray(message, golden)
      else expect(() => decodeNdArray(message), path).toThrow(expect.objectContaining({ code: 'invalid_run_meta' }))
    }
  })

  test.each(NAMES)('%s: our encoder writes an equal message', (name) => {
    const bytes = goldenBytes(`runmeta/${name}`)
    const ours = encodeRunMeta(decodeRunMeta(bytes))
    expect(runMetaToJson(decodeRunMeta(ours))).toEqual(runMetaToJson(decodeRunMeta(bytes)))
    for (const [path, golden] of Object.entries(goldenRun(name).arrays)) {
      if (!KNOWN.test(golden.dtype)) continue
      const meta = decodeRunMeta(rewritten(bytes))
      expectArray(arrayAt(meta, path), golden)
      expect(arrayAt(meta, path).order).toBe('C')
    }
  })

  test('the bytes come back as they were, with the rid', () => {
    for (const name of NAMES) {
      const bytes = goldenBytes(`runmeta/${name}`)
      const rid = decodeRunMeta(bytes).rid
      if (!rid || !/^[\w.~-]+$/.test(rid)) continue
      let accepted: Uint8Array | undefined
      try {
        accepted = acceptRunMeta(bytes, rid, DEFAULT_LIMITS).bytes
      } catch (error) {
        expect(error).toBeInstanceOf(McbError)
        continue
      }
      expect(hex(accepted)).toBe(hex(bytes))
    }
  })

  test('messages that belong together', () => {
    const bytes = (name: string) => goldenBytes(`runmeta/${name}`)
    expect(equalRunMeta(bytes('eight-schools'), bytes('eight-schools-reordered'))).toBe(true)
    expect(equalRunMeta(bytes('attributes-nan-payload'), bytes('attributes-nan-negative'))).toBe(false)
    for (const name of NAMES) expect(equalRunMeta(bytes(name), bytes(name)), name).toBe(true)
  })
})

test.each(goldenNames('refused'))('refused: %s', (name) => {
  const bytes = goldenBytes(`refused/${name}`)
  const rid = decodeRunMeta(bytes).rid || 'r'
  expect(() => acceptRunMeta(bytes, rid, DEFAULT_LIMITS), goldenText(`refused/${name}`)).toThrow(
    expect.objectContaining({ code: 'invalid_run_meta', status: 422 }),
  )
})

test.each(goldenNames('malformed', 'run-'))('malformed: %s', (name) => {
  const bytes = goldenBytes(`malformed/${name}`)
  expect(() => acceptRunMeta(bytes, 'r', DEFAULT_LIMITS), goldenText(`malformed/${name}`)).toThrow(
    expect.objectContaining({ code: 'invalid_protobuf', status: 400 }),
  )
})

/** A Python that has McBackend's package: MCB_GOLDEN_PYTHON, or what `python3` is. */
function referencePython(): string | undefined {
  const python = process.env.MCB_GOLDEN_PYTHON ?? 'python3'
  try {
    execFileSync(python, ['-c', 'import mcbackend, google.protobuf, numpy'], { stdio: 'ignore' })
    return python
  } catch {
    return undefined
  }
}

describe('RunMeta that this project wrote', () => {
  const python = referencePython()
  const reason = python === undefined ? 'no Python with McBackend (MCB_GOLDEN_PYTHON names one)' : undefined

  testUnless(reason)('McBackend reads it as it was meant', () => {
    const folder = newFolder()
    const written = NAMES.filter((golden) => golden !== 'unknown-group')
    for (const golden of written) {
      writeFileSync(join(folder, `${golden}.bin`), rewritten(goldenBytes(`runmeta/${golden}`)))
    }
    const script = fileURLToPath(new URL('../../conformance/golden/make_golden.py', import.meta.url))
    let lines: string
    try {
      lines = execFileSync(python ?? '', [script, '--check', folder], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    } finally {
      removeFolder(folder)
    }
    const reports = lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(reports.map((report) => report.file)).toEqual(written.map((golden) => `${golden}.bin`).sort())
    for (const report of reports) {
      const golden = goldenRun(report.file.slice(0, -4))
      expect(report.error, report.file).toBeUndefined()
      for (const [path, array] of Object.entries(golden.arrays)) {
        if (!KNOWN.test(array.dtype)) continue
        // Strings are written as wide as the longest one, which an array without any cannot tell.
        const dtype = array.dtype.startsWith('<U') ? expect.stringMatching(/^<U/) : array.dtype
        expect({ path, ...report.arrays[path] }).toEqual({ path, ...array, dtype })
      }
      expect(withoutLayout(report.canonical), report.file).toEqual(withoutLayout(golden.canonical))
    }
  })
})

/** Canonical JSON less what an array's writer is free in: strides, order, and the width of its strings. */
function withoutLayout(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutLayout)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(([key, member]) => [key, withoutLayout(member)] as const)
  if (!members.some(([key]) => key === 'dtype') || !members.some(([key]) => key === 'data' || key === 'strides')) {
    return Object.fromEntries(members)
  }
  return Object.fromEntries(members.filter(([key]) => key === 'shape'))
}
