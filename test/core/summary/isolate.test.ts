/** Diagnostics of an isolate without run objects: each request by itself, with memory and places in common. */
import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import { DEFAULT_INTERVAL, type SummaryQuestion } from '../../../src/core/summary/question.ts'
import type { DrawSource } from '../../../src/core/summary/source.ts'
import { encodeRunMeta, parseRunMeta } from '../../../src/core/wire/run-meta.ts'
import { IsolateDiagnostics } from '../../../src/worker/isolate-diagnostics.ts'

const variables = [{ name: 'x', dtype: 'float64' }]
const { meta, schema } = parseRunMeta(encodeRunMeta({ rid: 'r', variables }), DEFAULT_LIMITS)

interface SourceOptions {
  readonly draws: number
  /** Draws of a piece, and milliseconds that each takes. */
  readonly piece?: number
  readonly pauseMs?: number
}

function newSource(registration: string, { draws, piece = draws, pauseMs = 0 }: SourceOptions) {
  const state = { reads: 0, isReading: 0 }
  const source: DrawSource = {
    rid: 'r',
    registration,
    meta,
    schema,
    states: async () => [{ chain: 0, length: draws, updatedAt: 0 }],
    async *read(_chain, { count }) {
      state.reads++
      state.isReading++
      try {
        for (let done = 0; done < count; done += piece) {
          await new Promise<void>((resolve) => setTimeout(resolve, pauseMs))
          const values = Float64Array.from({ length: Math.min(piece, count - done) }, (_, i) => Math.sin(i * i + done))
          yield new Uint8Array(values.buffer)
        }
      } finally {
        state.isReading--
      }
    },
  }
  return { source, state }
}

const question: SummaryQuestion = {
  specs: schema.columns,
  warmup: 'exclude',
  convention: 'posterior',
  ci: DEFAULT_INTERVAL,
  columns: ['mean', 'rhat'],
  limit: 10,
}
const asking = (waitMs: number) => ({ owner: question, waitMs })

describe('a request of an isolate', () => {
  test('that gives up leaves its place to others, and ends its reads', async () => {
    const diagnostics = new IsolateDiagnostics()
    const slow = [1, 2].map((i) => newSource(`slow ${i}`, { draws: 450_000, piece: 45_000, pauseMs: 200 }))
    const given = slow.map(({ source }) => diagnostics.summarise(source, question, asking(0)))
    for (const { complete, progress } of await Promise.all(given)) expect([complete, progress]).toEqual([false, 0])
    const { source } = newSource('quick', { draws: 100 })
    expect(await diagnostics.summarise(source, question, asking(6000))).toMatchObject({ complete: true })
    await expect.poll(() => slow.map(({ state }) => state.isReading)).toEqual([0, 0])
  })

  test('finds what another one has computed', async () => {
    const diagnostics = new IsolateDiagnostics()
    const { source, state } = newSource('shared', { draws: 1000 })
    const first = await diagnostics.summarise(source, question, asking(5000))
    expect([first.complete, state.reads]).toEqual([true, 1])
    expect(await diagnostics.summarise(source, question, asking(0))).toEqual(first)
    expect(state.reads).toBe(1)
  })

  test('is refused what takes more memory than there is', async () => {
    const diagnostics = new IsolateDiagnostics()
    const { source } = newSource('long', { draws: 500_001 })
    const refused = diagnostics.summarise(source, question, asking(0))
    await expect(refused).rejects.toMatchObject({ code: 'payload_too_large', fields: { limit: 500_000 } })
  })
})
