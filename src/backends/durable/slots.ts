/** Slots for work of all objects of an isolate, which share its memory. Nobody waits for one: it is asked for again later. */

interface Slot {
  readonly bytes: number
  /** Milliseconds since 1970 after which it is free again: an object that the platform ends gives nothing back. */
  readonly until: number
}

export class Slots {
  private readonly most: number
  private readonly bytes: number
  private readonly milliseconds: number
  private readonly taken = new Set<Slot>()

  /**
   * @param most slots
   * @param bytes that those which are taken may use together; more than that is for one alone
   * @param milliseconds that one is taken for at most
   */
  constructor(most: number, bytes: number, milliseconds: number) {
    this.most = most
    this.bytes = bytes
    this.milliseconds = milliseconds
  }

  /** Takes a slot for work with so many bytes, and gives the function that frees it; undefined when none is free. */
  take(bytes: number): (() => void) | undefined {
    const now = Date.now()
    let used = bytes
    for (const slot of this.taken) {
      if (slot.until < now) this.taken.delete(slot)
      else used += slot.bytes
    }
    if (this.taken.size >= this.most || (this.taken.size > 0 && used > this.bytes)) return undefined
    const slot = { bytes, until: now + this.milliseconds }
    this.taken.add(slot)
    return () => this.taken.delete(slot)
  }
}
