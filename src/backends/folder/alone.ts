/** One piece of work at a time for each chain: puts into its objects, and their sweep. */
export class Alone {
  private readonly last = new Map<number, Promise<void>>()

  async run<T>(chain: number, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(chain)
    const done = Promise.withResolvers<void>()
    this.last.set(chain, done.promise)
    try {
      await before
      return await work()
    } finally {
      if (this.last.get(chain) === done.promise) this.last.delete(chain)
      done.resolve()
    }
  }
}
