/** The end of an upload: its last rows, and the time. No more will come, and chunks that are missing are fill. */
import { chunksOfBox } from '../../core/upload/grid.ts'
import { type Documents, type PartName, samplerSettings } from '../../core/upload/layout.ts'
import { finishedAt } from '../../core/upload/registration.ts'
import type { Growth } from './growth.ts'
import { DONE_MARK, DOUBT_MARK, ENDING_MARK } from './objects.ts'
import { pathOfChunk } from './staged-chunks.ts'

/** Rows that are looked at at a time. */
const STEP_ROWS = 1024

/** Stores all rows that there are. It may be begun again, by the next server where this one ends meanwhile. */
export async function endUpload(growth: Growth, documents: Documents): Promise<void> {
  if (growth.isDone) return
  const { draws, parts } = growth
  await growth.mark(ENDING_MARK)
  await growth.learnWarmups()
  const inWarmup = growth.warmups ?? []
  const isSampler = samplerSettings(documents) !== undefined
  const lengths: number[] = []
  for (const chain of draws.numbers.keys()) {
    const done = inWarmup[chain] ?? 0
    const length = growth.lengthOf(chain)
    const warmup = length > done ? done : await writtenRows(growth, 'warmup', chain, done, isSampler)
    lengths.push(warmup)
    growth.warmups = draws.numbers.map((_, other) => lengths[other] ?? inWarmup[other] ?? 0)
    await appendUpTo(growth, 'warmup', chain, warmup)
    const from = Math.max(0, length - warmup)
    await appendUpTo(growth, 'posterior', chain, await writtenRows(growth, 'posterior', chain, from, isSampler))
  }
  await noteEnd(growth, documents)
  await growth.mark(DONE_MARK)
  growth.isDone = true
  await growth.dropSpent()
  const marks = [...parts.doubts].map((key) => DOUBT_MARK + key)
  parts.doubts.clear()
  await growth.unmark([ENDING_MARK, ...marks])
}

async function appendUpTo(growth: Growth, part: PartName, chain: number, end: number): Promise<void> {
  for (;;) {
    const { part: now, row } = growth.next(chain)
    if (now !== part || row >= end) return
    const rows = { part, chain, first: row, count: Math.min(end - row, growth.draws.batchRows()) }
    await growth.append(rows, await growth.draws.read(rows))
  }
}

/** Rows of a part that a writer which has ended has surely written. */
async function writtenRows(
  growth: Growth,
  part: PartName,
  chain: number,
  from: number,
  isSampler: boolean,
): Promise<number> {
  const total = growth.draws.layout.rows[part]
  if (!isSampler) return total
  const step = Math.max(growth.draws.blockRows(part), Math.min(growth.draws.batchRows(), STEP_ROWS))
  let written = from
  for (let first = from; first < total; first += step) {
    const count = Math.min(step, total - first)
    if (!hasChunks(growth, part, chain, first, count)) continue
    const rows = growth.draws.written(part, await growth.draws.read({ part, chain, first, count }), count)
    if (rows > 0) written = first + rows
  }
  return written
}

function hasChunks(growth: Growth, part: PartName, chain: number, first: number, count: number): boolean {
  return growth.draws.columns.some(({ column }) => {
    const node = column[part]
    if (node === undefined) return false
    const inner = node.array.shape.slice(2)
    for (const chunk of chunksOfBox(node.array, [chain, first, ...inner.map(() => 0)], [1, count, ...inner])) {
      if (growth.parts.chunks.has(pathOfChunk(node, chunk))) return true
    }
    return false
  })
}

async function noteEnd(growth: Growth, documents: Documents): Promise<void> {
  const { facts } = await growth.draws.run.about()
  const now = new Date()
  const started = typeof facts.startedAt === 'string' ? Date.parse(facts.startedAt) : Number.NaN
  const seconds = (now.getTime() - started) / 1000
  const isSampler = samplerSettings(documents) !== undefined
  const warmups = Object.fromEntries(
    growth.draws.numbers.map((number, i) => [String(number), { warmup: growth.warmups?.[i] ?? 0 }]),
  )
  await growth.draws.run.changeAbout({
    facts: {
      finishedAt: isSampler ? now.toISOString() : finishedAt(documents, now),
      ...(isSampler && { chains: warmups }),
      ...(isSampler && seconds >= 0 && { samplingTime: seconds }),
    },
  })
}
