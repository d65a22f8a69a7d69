/** A run that is written, deleted and begun again under its old name, over and over: nothing of it may come back. */
import type { HttpBackend } from '../../src/client/index.ts'
import { clientOf } from './writer.ts'

const RID = 'kill-again'
/** Draws of 16 KiB: 20 of them are large enough for an object, three wait in the journal. */
const WIDTH = 2048
const BURSTS = [3, 20, 1]

export class Deleter {
  /** Deletions that were acknowledged. */
  deletions = 0
  private readonly client: HttpBackend
  private found: string | undefined

  constructor(url: string) {
    this.client = clientOf(url)
  }

  async write(pauseMs: number, isOver: () => boolean): Promise<void> {
    for (let life = 1; !isOver(); life++) {
      const variables = [{ name: 'life', dtype: 'float64', shape: [WIDTH] }]
      const run = await this.client.initRun({ rid: RID, variables })
      const chain = await run.initChain(0)
      const before = await chain.length()
      if (before !== 0) this.found ??= `${RID} begins its life ${life} with ${before} draws`
      for (const burst of BURSTS) {
        for (let i = 0; i < burst; i++) await chain.append({ life: new Float64Array(WIDTH).fill(life) })
        await chain.flush()
      }
      const draws = await chain.getDraws('life')
      const isOwn = 'data' in draws && draws.data.every((value) => value === life)
      if (!isOwn) this.found ??= `${RID} has draws of another life than ${life}`
      await chain.close()
      await this.client.deleteRun(RID)
      this.deletions++
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 2 * pauseMs))
    }
  }

  /** The fault that was met, if any; none of the runs may be there once it has written. */
  async fault(): Promise<string | undefined> {
    if ((await this.client.getRun(RID)) !== undefined) return `${RID} was deleted and is there`
    return this.found
  }
}
