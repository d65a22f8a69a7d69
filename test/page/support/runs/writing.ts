/** Runs are written to a server by its client, draw by draw. */
import type { AboutPatch, HttpBackend, HttpRun, Values } from '../../../../src/client/index.ts'
import type { mcbackend } from '../../../../src/core/wire/run-meta.ts'

export interface RunPlan {
  readonly meta: mcbackend.RunMeta.$Properties & { readonly rid: string }
  readonly about?: AboutPatch
  readonly chains: number
  readonly draws: number
  /** Values of one iteration, and its stats. */
  readonly draw: (chain: number, iteration: number) => readonly [Values, Values?]
}

/** Registers a run and appends all of its draws, which are durable then. */
export async function write(backend: HttpBackend, { meta, about, chains, draws, draw }: RunPlan): Promise<HttpRun> {
  const run = await backend.initRun(meta)
  if (about !== undefined) await run.setAbout(about)
  for (let chain = 0; chain < chains; chain++) {
    const writer = await run.initChain(chain)
    for (let i = 0; i < draws; i++) await writer.append(...draw(chain, i))
    await writer.close()
  }
  return run
}

/** Facts of a run that is complete. */
export const FINISHED = { finishedAt: '2026-11-29T08:00:00Z' } as const
