/**
 * A database of a machine that fails: transactions that are refused, and a power that goes before one or behind it. A commit
 * stays, since SQLite keeps it by itself.
 */
import { McbError } from '../../../src/core/errors.ts'
import type { Program, SqlDriver } from '../../../src/sql/program.ts'
import type { Power } from '../../disk/power.ts'
import type { Random } from '../../disk/random.ts'

export class FaultyDriver implements SqlDriver {
  readonly isShared = false
  /** Probability that a transaction is refused. */
  refusals = 0
  /** Resolves when a commit that nobody hears of is done. */
  last: Promise<void> = Promise.resolve()
  private readonly driver: SqlDriver
  private readonly power: Power
  private readonly random: Random

  constructor(driver: SqlDriver, power: Power, random: Random) {
    this.driver = driver
    this.power = power
    this.random = random
  }

  async run<T>(program: () => Program<T>, bytes?: number): Promise<T> {
    if (!this.power.isOn) return never()
    // The last step of a machine may be a commit that nobody hears of.
    if (!this.power.step()) return this.random.chance(0.5) ? never() : this.unheard(program, bytes)
    if (this.refusals > 0 && this.random.chance(this.refusals)) {
      throw new McbError('storage_unavailable', 'the database refuses this by chance', { retryAfter: 1 })
    }
    const checked = () => {
      if (!this.power.isOn) throw new PowerGone()
      return program()
    }
    try {
      const value = await this.driver.run(checked, bytes)
      return this.power.isOn ? value : never()
    } catch (error) {
      return this.power.isOn ? Promise.reject(error) : never()
    }
  }

  private unheard<T>(program: () => Program<T>, bytes: number | undefined): Promise<T> {
    this.last = this.driver.run(program, bytes).then(
      () => undefined,
      () => undefined,
    )
    return never()
  }
}

class PowerGone extends Error {
  override readonly name = 'PowerGone'
}

function never<T>(): Promise<T> {
  return new Promise(() => {})
}
