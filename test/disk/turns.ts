/** Operations of a disk that are under way together: one happens in each turn of the event loop, in an order that a seed draws. */
import type { Faults, Operation } from './faults.ts'
import type { Power } from './power.ts'
import type { Random } from './random.ts'

/** The end of a process: the system lives on after `kill`, and not after `cut`. */
export type Ending = 'kill' | 'cut'

/** An operation that is under way. */
export interface Job {
  readonly operation: Operation
  readonly path: string
  /** Detail of the operation, for its line in the trace. */
  readonly detail?: string
  /** Does what is done of it when it fails. */
  failed?(): void
  /** Does what is done of it when it was under way at the end. */
  end?(ending: Ending): void
}

export class Turns {
  private readonly random: Random
  private readonly faults: Faults
  private readonly power: Power
  private readonly trace: ((line: string) => void) | undefined
  private waiting: { readonly job: Job; run(): void }[] = []
  private isScheduled = false

  constructor(random: Random, faults: Faults, power: Power, trace: ((line: string) => void) | undefined) {
    this.random = random
    this.faults = faults
    this.power = power
    this.trace = trace
  }

  /** Lets an operation wait for its turn; it may fail instead. Without power it is never settled. */
  do<T>(job: Job, act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = () => {
        try {
          this.refuse(job)
          resolve(act())
          this.tell(job)
        } catch (error) {
          this.tell(job, error)
          reject(error)
        }
      }
      this.waiting.push({ job, run })
      this.schedule()
    })
  }

  /** Ends the operations that are under way. */
  end(ending: Ending): void {
    this.trace?.(ending)
    for (const { job } of this.random.shuffle(this.waiting)) job.end?.(ending)
    this.waiting = []
  }

  private refuse(job: Job): void {
    const fault = this.faults.next(job.operation, job.path)
    if (fault === undefined) return
    job.failed?.()
    throw fault
  }

  private tell({ operation, path, detail }: Job, error?: unknown): void {
    this.trace?.([operation, path, detail, error].filter((part) => part !== undefined).join(' '))
  }

  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(() => {
      this.isScheduled = false
      this.turn()
    })
  }

  private turn(): void {
    if (this.waiting.length === 0 || !this.power.step()) return
    const [next] = this.waiting.splice(this.random.below(this.waiting.length), 1)
    next?.run()
    if (this.waiting.length > 0) this.schedule()
  }
}
