/** Figures that a thread of their own computes, so that no request waits for them. */
import { Worker } from 'node:worker_threads'
import { FigureColumn, type FigureTable, type Plan } from '../../core/diagnostics/figures.ts'
import type { BlockShape } from '../../core/diagnostics/scalar-block.ts'
import { McbError } from '../../core/errors.ts'
import type { Bench, BlockWork } from '../../core/summary/bench.ts'
import type { Tally } from '../tally.ts'
import type { Computed, ComputerOptions, Put, Task } from './protocol.ts'

interface Waiting {
  resolve(table: FigureTable): void
  reject(error: Error): void
}

/** The thread starts with the first block, and ends when it has had nothing to do for a while. */
export class ThreadBench implements Bench {
  private readonly tally: Tally
  private readonly waiting = new Map<number, Waiting>()
  private worker: Worker | undefined
  private idle: NodeJS.Timeout | undefined
  private blocks = 0
  private open = 0

  constructor(tally: Tally) {
    this.tally = tally
  }

  begin(shape: BlockShape): BlockWork {
    const block = ++this.blocks
    this.open++
    const worker = this.start()
    const send = (task: Task, transfer: ArrayBuffer[] = []) => worker.postMessage(task, transfer)
    send({ block, begin: shape })
    return {
      put: (place, bytes, dtype) => put(send, { block, place, bytes, dtype }),
      figures: (plan) => this.compute(worker, block, plan),
      drop: () => {
        send({ block, drop: true })
        this.end()
      },
    }
  }

  /** Ends the thread; what it was computing fails. */
  async close(): Promise<void> {
    clearTimeout(this.idle)
    await this.worker?.terminate()
  }

  private compute(worker: Worker, block: number, plan: Plan): Promise<FigureTable> {
    const computed = new Promise<FigureTable>((resolve, reject) => this.waiting.set(block, { resolve, reject }))
    worker.postMessage({ block, plan } satisfies Task)
    if (worker !== this.worker) this.fail(new Error('it has ended'))
    return computed.finally(() => this.end())
  }

  private start(): Worker {
    clearTimeout(this.idle)
    if (this.worker !== undefined) return this.worker
    const worker = new Worker(new URL('./host.ts', import.meta.url), {
      workerData: { counts: this.tally.memory } satisfies ComputerOptions,
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    })
    worker.unref()
    worker.on('message', (computed: Computed) => this.settle(computed))
    worker.on('error', (error) => this.fail(error))
    worker.on('exit', () => {
      if (this.worker === worker) this.worker = undefined
      this.fail(new Error('it has ended'))
    })
    this.worker = worker
    return worker
  }

  private settle(computed: Computed): void {
    const waiting = this.waiting.get(computed.block)
    this.waiting.delete(computed.block)
    if ('failure' in computed) waiting?.reject(new Error(computed.failure))
    else {
      const columns = computed.columns.map(
        ({ figure, values, codes }) => [figure, new FigureColumn(values, codes)] as const,
      )
      waiting?.resolve(new Map(columns))
    }
  }

  private fail(cause: Error): void {
    const detail = 'the thread that computes summaries has failed; send the request again'
    for (const { reject } of this.waiting.values()) {
      reject(new McbError('storage_unavailable', detail, { retryAfter: 1 }, { cause }))
    }
    this.waiting.clear()
  }

  /** Memory of a thread is given back only by its end. */
  private end(): void {
    this.open--
    if (this.open > 0) return
    clearTimeout(this.idle)
    this.idle = setTimeout(() => {
      const { worker } = this
      this.worker = undefined
      void worker?.terminate()
    }, IDLE_MS).unref()
  }
}

/** Milliseconds without work after which the thread ends. */
const IDLE_MS = 30_000

/** Hands the memory of the bytes over where it is theirs alone: else they are copied, and no more than they. */
function put(send: (task: Task, transfer?: ArrayBuffer[]) => void, part: Put): void {
  const { bytes } = part
  if (bytes.length === bytes.buffer.byteLength) send(part, [bytes.buffer])
  else {
    const copy = bytes.slice()
    send({ ...part, bytes: copy }, [copy.buffer])
  }
}
