/** The power of a machine in a test: steps of its disk and its database use it up, and with the last one everything stands still. */

export class Power {
  /** Resolves when the power is gone. */
  readonly gone: Promise<void>
  private left = Number.POSITIVE_INFINITY
  private cut: () => void = () => {}
  private taken = 0

  constructor() {
    this.gone = new Promise((resolve) => {
      this.cut = resolve
    })
  }

  get isOn(): boolean {
    return this.left > 0
  }

  /** Steps that were taken. */
  get steps(): number {
    return this.taken
  }

  /** Cuts the power after so many further steps; at once with 0. */
  cutAfter(steps: number): void {
    if (!this.isOn) return
    this.left = steps
    if (steps === 0) this.cut()
  }

  /** Takes a step; false when there is no power for it. */
  step(): boolean {
    if (!this.isOn) return false
    this.taken++
    this.left--
    if (!this.isOn) this.cut()
    return this.isOn
  }
}
