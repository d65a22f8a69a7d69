/** Queues by key: work goes one at a time, in the order of the calls. */
export class Queues {
  private readonly last = new Map<string, Promise<unknown>>()

  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const result = (this.last.get(key) ?? Promise.resolve()).then(work, work)
    const settled = result
      .catch(() => undefined)
      .then(() => {
        if (this.last.get(key) === settled) this.last.delete(key)
      })
    this.last.set(key, settled)
    return result
  }
}

/** Work that several want at once is done once for all of them. */
export class Flights<T> {
  private readonly present = new Map<string, Promise<T>>()

  run(key: string, work: () => Promise<T>): Promise<T> {
    const flying = this.present.get(key)
    if (flying !== undefined) return flying
    const flight = work().finally(() => this.present.delete(key))
    this.present.set(key, flight)
    return flight
  }
}
