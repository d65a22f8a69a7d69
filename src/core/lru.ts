/** A map with a budget: beyond it, the values that were used longest ago are forgotten. */
export class LruMap<K, V> {
  private readonly entries = new Map<K, V>()
  private readonly budget: number
  private readonly weigh: (value: V) => number
  private weight = 0

  /** @param weigh gives a value's share of the budget, always the same for one value; 1 where it is absent */
  constructor(budget: number, weigh: (value: V) => number = () => 1) {
    this.budget = budget
    this.weigh = weigh
  }

  get(key: K): V | undefined {
    const value = this.entries.get(key)
    if (value !== undefined) {
      this.entries.delete(key)
      this.entries.set(key, value)
    }
    return value
  }

  /** The value stays at least until the next one comes, however much it weighs. */
  set(key: K, value: V): void {
    this.delete(key)
    this.entries.set(key, value)
    this.weight += this.weigh(value)
    for (const oldest of this.entries.keys()) {
      if (this.weight <= this.budget || this.entries.size === 1) return
      this.delete(oldest)
    }
  }

  delete(key: K): void {
    const value = this.entries.get(key)
    if (value === undefined) return
    this.entries.delete(key)
    this.weight -= this.weigh(value)
  }
}
