/**
 * The last draws of chains that were read lately, verified, in memory: who follows a chain asks for its last draw again and
 * again, and on the disk each of its columns lies somewhere else.
 */
import type { Block } from '../../core/draws/segment.ts'
import { LruMap } from '../../core/lru.ts'

/** Bytes of all chains, and of one; an array counts for some bytes itself. */
const ALL_BYTES = 8 * 1024 * 1024
const MOST_BYTES = 256 * 1024
const ARRAY_BYTES = 128

interface LastDraw {
  /** Iteration of the draw. */
  readonly at: number
  readonly blocks: ReadonlyMap<number, Block>
  readonly bytes: number
}

export class LastDraws {
  private readonly chains = new LruMap<number, LastDraw>(ALL_BYTES, ({ bytes }) => bytes)

  /** The draw of each of some columns of a chain; undefined where one of them is not kept. */
  find(chain: number, at: number, columns: readonly number[]): Block[] | undefined {
    const last = this.chains.get(chain)
    if (last?.at !== at) return undefined
    const blocks = columns.flatMap((column) => last.blocks.get(column) ?? [])
    return blocks.length === columns.length ? blocks : undefined
  }

  /** Keeps a copy of the draw of some columns, each in a block of its own, unless it is large. */
  keep(chain: number, at: number, columns: readonly number[], found: readonly (readonly Block[])[]): void {
    const bytes = found.reduce((n, blocks) => n + ARRAY_BYTES + (blocks[0]?.data?.length ?? 0), 0)
    if (bytes > MOST_BYTES || found.some(([first, ...more]) => first?.count !== 1 || more.length > 0)) return
    const blocks = new Map<number, Block>()
    for (const [i, column] of columns.entries()) {
      for (const { start, count, data } of found[i] ?? [])
        blocks.set(column, { start, count, data: data?.slice() ?? null })
    }
    this.chains.set(chain, { at, blocks, bytes })
  }
}
