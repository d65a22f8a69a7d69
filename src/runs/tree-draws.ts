/** Draws of a tree, variable by variable; many small variables take few questions to the storage. */

import type { Bytes } from '../core/draws/segment.ts'
import type { DrawSource } from '../core/formats/netcdf/source.ts'
import type { Drawn, Tree } from '../core/inference/tree.ts'
import { pieces } from '../core/selection.ts'
import type { StoreRun } from './backend.ts'
import { numberRows, stringRows } from './rows.ts'

/** Bytes of the variables that are read together, unless one has more: of all chains, one answer of the storage for each. */
const BATCH_BYTES = 2 * 1024 * 1024
/** Chains that are read at a time. */
const READ_TOGETHER = 8

/** @param stillWanted throws when nobody waits for the draws any more; called for each piece of text, of which all may be read twice */
export function drawsOfTree(run: StoreRun, tree: Tree, stillWanted: () => void): DrawSource {
  return {
    numbers: (variable, chain, first, count) => numberRows(run, tree, variable, { chain, first, count }),
    async *texts(variable, chain, first, count) {
      for await (const piece of stringRows(run, tree, variable, { chain, first, count })) {
        stillWanted()
        yield piece
      }
    },
    together: (variables) => inOrder(batchesOf(variables).map((batch) => () => batchBytes(run, tree, batch))),
  }
}

/** Variables whose rows are the same draws, few of them together. */
function batchesOf(variables: readonly Drawn[]): readonly (readonly Drawn[])[] {
  const batches: Drawn[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const variable of variables) {
    const first = batches.at(-1)?.[0]
    bytes += bytesOfAll(variable)
    if (bytes > BATCH_BYTES || first === undefined || !areSameDraws(first, variable)) {
      batches.push([])
      bytes = bytesOfAll(variable)
    }
    batches.at(-1)?.push(variable)
  }
  return batches
}

function bytesOfAll({ rows, columns }: Drawn): number {
  const stride = columns.reduce((sum, spec) => sum + (spec.kind === 'rigid-numbers' ? spec.stride : 0), 0)
  return rows.reduce((sum, { count }) => sum + count * stride, 0)
}

function areSameDraws(a: Drawn, b: Drawn): boolean {
  if (a.columns.length !== 1 || b.columns.length !== 1 || a.shape[1] !== b.shape[1]) return false
  if (a.rows === b.rows) return true
  return a.rows.every(({ first, count }, i) => first === b.rows[i]?.first && count === b.rows[i]?.count)
}

/** Pieces of each of the sources in turn; the next one is read while the one before is taken. */
async function* inOrder(sources: readonly (() => Promise<readonly Bytes[]>)[]): AsyncGenerator<Bytes> {
  const begin = (i: number) => {
    const read = sources[i]?.()
    // Its rejection is met when its turn comes, which may never be.
    read?.catch(() => undefined)
    return read
  }
  let ahead = begin(0)
  for (let i = 0; i < sources.length; i++) {
    const read = (await ahead) ?? []
    ahead = begin(i + 1)
    yield* read
  }
}

async function batchBytes(run: StoreRun, tree: Tree, batch: readonly Drawn[]): Promise<readonly Bytes[]> {
  const [first] = batch
  if (first === undefined) return []
  if (first.columns.length > 1) return oneByOne(run, tree, first)
  const chains: (readonly (readonly Bytes[])[])[] = []
  for (let at = 0; at < first.rows.length; at += READ_TOGETHER) {
    const some = first.rows.slice(at, at + READ_TOGETHER)
    chains.push(...(await Promise.all(some.map((_, i) => columnsOfChain(run, tree, batch, at + i)))))
  }
  return batch.flatMap((_, position) => chains.flatMap((columns) => columns[position] ?? []))
}

async function oneByOne(run: StoreRun, tree: Tree, variable: Drawn): Promise<readonly Bytes[]> {
  const read: Bytes[] = []
  for (let chain = 0; chain < variable.rows.length; chain++) {
    const rows = { chain, first: 0, count: variable.shape[1] ?? 0 }
    for await (const bytes of numberRows(run, tree, variable, rows)) read.push(bytes)
  }
  return read
}

/** The draws of one chain, by variable. */
async function columnsOfChain(
  run: StoreRun,
  tree: Tree,
  batch: readonly Drawn[],
  chain: number,
): Promise<readonly (readonly Bytes[])[]> {
  const state = tree.chains[chain]
  const [of] = batch
  const rows = of?.rows[chain]
  if (state === undefined || rows === undefined) throw new RangeError(`the tree has no chain at ${chain}`)
  const columns = batch.flatMap((variable) => variable.columns)
  const read: Bytes[][] = columns.map(() => [])
  const slice = { start: rows.first, stop: rows.first + rows.count }
  for await (const { position, data } of pieces(run.select(state, columns, { slice }))) read[position]?.push(data)
  const there = of?.shape[1] ?? 0
  if (rows.count < there) {
    for (const [position, variable] of batch.entries()) {
      const fill = { chain, first: rows.count, count: there - rows.count }
      for await (const bytes of numberRows(run, tree, variable, fill)) read[position]?.push(bytes)
    }
  }
  return read
}
