/** Work that is ordered: by key, for all who want it, or by its items. */

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

/**
 * The results of work on some items, in their order; it is done on `most` of them at a time. No work goes on when the results
 * have ended, be it early.
 */
export async function* inOrder<T, R>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const begun: Promise<R>[] = []
  let next = 0
  const begin = () => {
    for (const item of items.slice(next, next + most - begun.length)) {
      const result = work(item)
      // Its rejection is met when its turn comes, which it may never.
      result.catch(() => undefined)
      begun.push(result)
      next++
    }
  }
  try {
    begin()
    for (let result = begun.shift(); result !== undefined; result = begun.shift()) {
      const value = await result
      begin()
      yield value
    }
  } finally {
    await Promise.allSettled(begun)
  }
}
