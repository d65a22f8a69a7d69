/** A Python process that computes with arviz-stats, one task after the other. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

export interface DrawsTask {
  readonly chains: number
  readonly draws: number
  readonly scalars: number
}

const PYTHON = process.env.MCB_ARVIZ_PYTHON ?? resolve('clients/python/.venv-3.13/bin/python')

export class ArviZ {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>
  private readonly lines: AsyncIterator<string>

  constructor() {
    if (!existsSync(PYTHON)) {
      const way = 'set MCB_ARVIZ_PYTHON to a Python 3.13 with arviz-stats, or run clients/python/run_tests.py once'
      throw new Error(`there is no ${PYTHON}; ${way}`)
    }
    const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' }
    this.child = spawn(PYTHON, ['bench/arviz.py'], { stdio: ['pipe', 'pipe', 'inherit'], env })
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  /** Makes the draws that the next tasks are of. */
  async draws(task: DrawsTask): Promise<void> {
    await this.ask(task)
  }

  /** CPU seconds of a task. */
  cpu(what: 'four' | 'summary'): Promise<number> {
    return this.ask({ what })
  }

  close(): void {
    this.child.stdin.end()
  }

  private async ask(task: object): Promise<number> {
    this.child.stdin.write(`${JSON.stringify(task)}\n`)
    const { done, value } = await this.lines.next()
    if (done) throw new Error('ArviZ has ended')
    return Number(JSON.parse(value).seconds)
  }
}
