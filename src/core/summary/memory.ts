/** The memory of summaries: figures by what they are made of, and moments. All of it is plain, and may be lost. */
import { LruMap } from '../lru.ts'
import { type Moment, Warmups } from './moment.ts'
import { Stock } from './stock.ts'

/** Stocks that are kept at most. */
const STOCKS = 1000
/** Chains of all moments that are kept. */
const CHAINS = 100_000

export class SummaryMemory {
  readonly warmups = new Warmups()
  /** Moments that were computed last, by run and choice. */
  readonly latest = new LruMap<string, Moment>(CHAINS, ({ chains, leftOut }) => 10 + chains.length + leftOut.length)
  /** Stocks by what they are made of, the one that was used last at the end. */
  private readonly stocks = new Map<string, Stock>()
  private readonly keptBytes: number

  /** @param keptBytes bytes of figures that are kept */
  constructor(keptBytes: number) {
    this.keptBytes = keptBytes
  }

  /** The stock of a moment; a new one is given what an earlier one of its family says of R-hat. */
  stock(family: string, moment: Moment, convention: Stock['convention']): Stock {
    const chains = moment.chains.map(({ chain, first }) => `${chain}:${first}`).join()
    const key = `${family}/${moment.draws}/${chains}`
    let stock = this.stocks.get(key)
    if (stock === undefined) {
      const earlier = [...this.stocks.values()].findLast((each) => each.key.startsWith(`${family}/`))
      stock = new Stock(key, moment, convention, earlier?.rhats)
    }
    this.stocks.delete(key)
    this.stocks.set(key, stock)
    return stock
  }

  /** Forgets the stocks that were used longest ago. */
  trim(): void {
    let weight = 0
    for (const stock of this.stocks.values()) weight += stock.weight
    for (const [key, stock] of this.stocks) {
      if ((weight <= this.keptBytes && this.stocks.size <= STOCKS) || this.stocks.size === 1) return
      this.stocks.delete(key)
      weight -= stock.weight
    }
  }
}
