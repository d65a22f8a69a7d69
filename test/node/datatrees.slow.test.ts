/** Trees of InferenceData are those of the Python client: groups, names, axes, dtypes, coordinates, draws and attributes. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { NdArray } from '../../src/core/draws/ndarray.ts'
import type { Attributes, AttributeValue, Drawn, Tree, TreeVariable } from '../../src/core/inference/tree.ts'
import { numbersOf, type StringPiece, stringsOf } from '../../src/core/inference/values.ts'
import { StoreBackend, type StoreRun } from '../../src/runs/backend.ts'
import { inferenceTree } from '../../src/runs/inference.ts'
import { numberRows, stringRows } from '../../src/runs/rows.ts'
import { SHARED_DATA } from '../support/shared.ts'
import { testUnless } from '../support/skip.ts'
import { newFolder, removeFolder } from '../support/storage.ts'
import { serve } from './serve.ts'

const PACKAGE = fileURLToPath(new URL('../../clients/python/', import.meta.url))
const SCRIPT = fileURLToPath(new URL('support/datatrees.py', import.meta.url))
const NEEDED = 'import mcbackend_edge, pymc, arviz; assert int(arviz.__version__.split(".")[0]) >= 1'

/** A Python with the project's package, PyMC, and ArviZ 1.x, whose names the trees have. */
function referencePython(): string | undefined {
  const given = process.env.MCB_GOLDEN_PYTHON
  const known = ['.venv-3.13', '.venv-3.14'].map((name) => `${PACKAGE}${name}/bin/python`)
  return [...known, ...(given === undefined ? [] : [given])].find((python) => {
    try {
      execFileSync(python, ['-c', NEEDED], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })
}

type Plain = null | boolean | number | string | readonly Plain[] | { readonly [name: string]: Plain }

interface Described {
  readonly name: string
  readonly dims: readonly string[]
  readonly shape: readonly number[]
  readonly dtype?: string
  readonly bytes?: string
  readonly texts?: readonly string[]
  /** Nanoseconds. */
  readonly times?: readonly string[]
}

interface DescribedTree {
  readonly rid: string
  readonly attributes: { readonly [name: string]: Plain }
  readonly groups: readonly {
    readonly name: string
    readonly attributes: { readonly [name: string]: Plain }
    readonly coords: readonly Described[]
    readonly variables: readonly Described[]
  }[]
}

const NANOSECONDS: { readonly [unit: string]: bigint } = {
  days: 86_400n * 10n ** 9n,
  hours: 3600n * 10n ** 9n,
  minutes: 60n * 10n ** 9n,
  seconds: 10n ** 9n,
  milliseconds: 10n ** 6n,
  microseconds: 1000n,
  nanoseconds: 1n,
}
const NOT_A_TIME = -(2n ** 63n)

async function describeTree(run: StoreRun, tree: Tree): Promise<DescribedTree> {
  const groups = []
  for (const { name, attributes, variables } of tree.groups) {
    const described: Described[] = []
    for (const variable of variables) described.push(await describeVariable(run, tree, variable))
    const isCoord = ({ name: own, dims }: Described) => dims.length === 1 && dims[0] === own
    groups.push({
      name,
      attributes: plainOf(attributes),
      coords: described.filter(isCoord).sort((a, b) => compare(a.name, b.name)),
      variables: described.filter((one) => !isCoord(one)),
    })
  }
  return { rid: run.rid, attributes: plainOf(tree.attributes), groups }
}

/** The order of Python, which is that of code points. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

async function describeVariable(run: StoreRun, tree: Tree, variable: TreeVariable): Promise<Described> {
  const { name, dims, shape, dtype, attributes } = variable
  const head = { name, dims, shape }
  if (dtype === 'str') return { ...head, texts: await textsOf(run, tree, variable) }
  const bytes = Buffer.concat(await bytesOf(run, tree, variable))
  const unit = String(attributes.units ?? '').split(' ')[0] ?? ''
  const each = NANOSECONDS[unit]
  if (each === undefined) return { ...head, dtype, bytes: bytes.toString('base64') }
  const counts = new BigInt64Array(new Uint8Array(bytes).buffer)
  return { ...head, times: Array.from(counts, (count) => String(count === NOT_A_TIME ? count : count * each)) }
}

async function bytesOf(run: StoreRun, tree: Tree, variable: TreeVariable): Promise<Uint8Array[]> {
  if (variable.kind !== 'drawn') return [...numbersOf(variable, 0, sizeOf(variable))]
  const parts: Uint8Array[] = []
  for (const rows of allRows(variable)) {
    for await (const bytes of numberRows(run, tree, variable, rows)) parts.push(bytes.slice())
  }
  return parts
}

async function textsOf(run: StoreRun, tree: Tree, variable: TreeVariable): Promise<string[]> {
  const pieces: StringPiece[] = variable.kind === 'given' ? [...stringsOf(variable, 0, sizeOf(variable))] : []
  for (const rows of variable.kind === 'drawn' ? allRows(variable) : []) {
    if (variable.kind === 'drawn') for await (const piece of stringRows(run, tree, variable, rows)) pieces.push(piece)
  }
  return pieces.flatMap(({ lengths, payload }) => {
    let at = 0
    return Array.from(lengths, (length) => {
      at += length
      return new TextDecoder().decode(payload.subarray(at - length, at))
    })
  })
}

function sizeOf({ shape }: TreeVariable): number {
  return shape.reduce((product, length) => product * length, 1)
}

/** Rows in two reads a chain, as a reader of chunks has them. */
function allRows({ shape: [chains = 0, draws = 0] }: Drawn) {
  const half = Math.ceil(draws / 2)
  return Array.from({ length: chains }, (_, chain) => [
    { chain, first: 0, count: half },
    { chain, first: half, count: draws - half },
  ]).flat()
}

/** Attributes, without those that tell what is left out: the Python client warns of that. */
function plainOf(attributes: Attributes): { readonly [name: string]: Plain } {
  const own = Object.entries(attributes).filter(([name]) => !name.startsWith('mcb.'))
  return Object.fromEntries(own.map(([name, value]) => [name, parsed(plainValue(value))]))
}

function plainValue(value: AttributeValue): Plain {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'string' || typeof value === 'number') return value
  return isArray(value)
    ? { dtype: value.dtype, values: Array.from<number | bigint | string>(value.data).map(Number) }
    : [...value]
}

function isArray(value: NdArray | readonly string[]): value is NdArray {
  return !Array.isArray(value)
}

/** Text of JSON as its value: Python writes it with spaces. */
function parsed(value: Plain): Plain {
  if (typeof value !== 'string' || !/^[[{]/.test(value)) return value
  return JSON.parse(value)
}

function parsedTree(tree: DescribedTree): DescribedTree {
  const all = (attributes: DescribedTree['attributes']) =>
    Object.fromEntries(
      Object.entries(attributes)
        // Formats have no attribute without elements.
        .filter(([name, value]) => name !== 'sample_dims' || value !== '[]')
        .map(([name, value]) => [name, parsed(value)]),
    )
  const groups = tree.groups.map((group) => ({ ...group, attributes: all(group.attributes) }))
  return { ...tree, attributes: all(tree.attributes), groups }
}

async function referenceTrees(python: string, url: string): Promise<readonly DescribedTree[]> {
  const folder = newFolder()
  try {
    const out = join(folder, 'trees.json')
    const field = ['idata-one-ragged-variable', 'idata-interrupted-chain', 'pymc-datetime-coords', 'pymc-observed-data']
    const repros = field.map((name) => join(SHARED_DATA, 'field', name, 'repro.py'))
    const result = join(SHARED_DATA, 'pymc/non_centered_eight.nc')
    const child = spawn(python, [SCRIPT, url, out, result, ...repros], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-5000)
    })
    const [code]: unknown[] = await once(child, 'close')
    if (code !== 0) throw new Error(`Python ended with ${code}: ${said}`)
    return JSON.parse(readFileSync(out, 'utf8'))
  } finally {
    removeFolder(folder)
  }
}

const python = referencePython()
const reason =
  python === undefined
    ? 'there is no Python with the package and ArviZ 1.x: `python clients/python/run_tests.py --only-install` makes one'
    : undefined

testUnless(reason)(
  'the Python client reads the same trees',
  async () => {
    const store = new MemoryStore()
    const { server } = await serve({}, store)
    try {
      const trees = await referenceTrees(python ?? '', server.url)
      expect(trees.length).toBe(14)
      const backend = new StoreBackend(store)
      for (const reference of trees) {
        const run = await backend.getRun(reference.rid)
        if (run === undefined) throw new Error(`no run ${reference.rid}`)
        const states = await run.chainStates()
        const tree = await inferenceTree(run, backend, { form: 'cut', states, about: await run.about() })
        expect.soft(await describeTree(run, tree), reference.rid).toEqual(parsedTree(reference))
      }
    } finally {
      await server.close()
    }
  },
  { timeout: 300_000 },
)
