/** Answers that are made while they are read: nothing is fetched ahead of a reader, and a reader that stops is left. */
import type { Place } from './open-answers.ts'

export interface StreamOptions {
  readonly place: Place
  /** Milliseconds that a piece may wait to be taken, where the platform does not watch the connection itself. */
  readonly stallMs: number
  /** Called when the answer has ended, in whatever way; perhaps more than once. */
  readonly ended: () => unknown
}

/** The pieces of `source`, each asked for when its reader has taken the one before. */
export function streamOf(
  source: AsyncGenerator<Uint8Array>,
  { place, stallMs, ended }: StreamOptions,
): ReadableStream<Uint8Array> {
  place.isStreamed = true
  let timer: ReturnType<typeof setTimeout> | undefined
  const end = async () => {
    clearTimeout(timer)
    place.release()
    await ended()
  }
  return new ReadableStream(
    {
      async pull(controller) {
        clearTimeout(timer)
        const next = await source.next().catch(async (error: unknown) => {
          await end()
          throw error
        })
        if (next.done) {
          await end()
          controller.close()
          return
        }
        controller.enqueue(next.value)
        if (place.isWatched) return
        timer = setTimeout(() => {
          controller.error(new Error(`nobody has read this answer for ${stallMs / 1000} s`))
          void source.return(undefined).then(end, end)
        }, stallMs)
      },
      async cancel() {
        await end()
        await source.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )
}
