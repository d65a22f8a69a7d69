/** The thread that computes figures: a scalar after the other, with rests for as long as draws are being stored. */
import { parentPort, workerData } from 'node:worker_threads'
import { computeFigures, type FigureTable } from '../../core/diagnostics/figures.ts'
import { ScalarBlock } from '../../core/diagnostics/scalar-block.ts'
import { Rests } from '../../core/summary/rests.ts'
import { Tally } from '../tally.ts'
import type { Compute, Computed, ComputerOptions, Task } from './protocol.ts'

if (parentPort === null) throw new Error('this module runs in a worker thread')
const port = parentPort
const options: ComputerOptions = workerData
const tally = new Tally(options.counts)
const rests = new Rests(() => tally.draws)
const blocks = new Map<number, ScalarBlock>()
/** A cell that nobody wakes: waiting for it is sleeping. */
const asleep = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

/** Milliseconds of work between two looks whether a rest is due. */
const STINT_MS = 5

function compute(block: ScalarBlock, { plan }: Compute): FigureTable {
  const steps = computeFigures(block, plan)
  for (let since = performance.now(); ; ) {
    const { done, value } = steps.next()
    if (done) return value
    const worked = performance.now() - since
    if (worked < STINT_MS) continue
    const rest = rests.after(worked)
    if (rest > 0) Atomics.wait(asleep, 0, 0, rest)
    since = performance.now()
  }
}

function answer(task: Compute, block: ScalarBlock): Computed {
  try {
    const table = compute(block, task)
    const columns = [...table].map(([figure, { values, codes }]) => ({ figure, values, codes }))
    return { block: task.block, columns }
  } catch (error) {
    return { block: task.block, failure: error instanceof Error ? error.message : String(error) }
  }
}

port.on('message', (task: Task) => {
  if ('begin' in task) {
    blocks.set(task.block, new ScalarBlock(task.begin))
    return
  }
  const block = blocks.get(task.block)
  if (block === undefined) return
  if ('bytes' in task) block.put(task.place, task.bytes, task.dtype)
  else {
    blocks.delete(task.block)
    if ('plan' in task) port.postMessage(answer(task, block))
  }
})
