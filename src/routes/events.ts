/** /v1/runs/{rid}/events: how a run grows, while it does. */

import { EVENT_STREAM } from '../core/media-types.ts'
import type { RunWatcher } from '../core/store.ts'
import type { AppContext } from '../http/context.ts'
import { EventFeed } from '../http/event-feed.ts'
import { describe, eventsResponse } from '../http/openapi/describe.ts'
import { lastEventId, registration } from '../http/openapi/described-headers.ts'
import type { Operation, Resources, Services } from '../http/operation.ts'
import { ridParam } from '../http/params.ts'
import { withRun } from '../http/run-of-request.ts'
import { streamOf } from '../http/stream.ts'
import type { StoreRun } from '../runs/backend.ts'
import type { Following } from '../runs/diagnoses.ts'

const watchRun: Operation = {
  needs: 'read',
  answer: 'events',
  describe: describe(
    'Runs',
    'watchRun',
    'Server-sent events: the chains and their lengths, then whatever grows, and diagnostics',
    {
      parameters: [registration, lastEventId],
      responses: { 200: eventsResponse },
      errors: ['run_not_found', 'run_replaced'],
    },
  ),
  handler: watch,
}

async function watch(c: AppContext, { bounds, diagnoses }: Services): Promise<Response> {
  const { feed, stop } = await withRun(c, ridParam(c), {}, async (run) => {
    const opened = new EventFeed(run.registration)
    if (c.req.method === 'HEAD') return { feed: opened, stop: await run.watch(opened) }
    const following = diagnoses.follow(run, c.get('backend'), opened)
    return { feed: opened, stop: await watchBoth(run, opened, following) }
  })
  c.header('Content-Type', EVENT_STREAM)
  // Proxies that gather an answer before they pass it on would defeat its purpose.
  c.header('X-Accel-Buffering', 'no')
  if (c.req.method === 'HEAD') {
    stop()
    return c.body(null)
  }
  const ended = () => {
    stop()
    // Else a feed that waits for news waits on, with its timer, for a watcher that has gone.
    feed.lost()
  }
  const text = allowed(feed.text(c.req.header('Last-Event-ID')), c.get('stillAllowed'))
  return c.body(streamOf(text, { place: c.get('place'), stallMs: bounds.stallMs, ended }))
}

/** Watches a run for its feed, and for those who tell its diagnostics. */
async function watchBoth(run: StoreRun, feed: EventFeed, following: Following): Promise<() => void> {
  const watcher: RunWatcher = {
    grown: (chain, length) => {
      feed.grown(chain, length)
      following.grown(chain, length)
    },
    deleted: () => feed.deleted(),
    lost: () => feed.lost(),
  }
  try {
    const stop = await run.watch(watcher)
    return () => {
      stop()
      following.stop()
    }
  } catch (error) {
    following.stop()
    throw error
  }
}

/** A feed while the key that opened it is valid. It says something every 15 s, so the key is looked at as often at least. */
async function* allowed(
  text: AsyncGenerator<string>,
  stillAllowed: () => Promise<boolean>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder()
  for await (const piece of text) {
    if (!(await stillAllowed())) return
    yield encoder.encode(piece)
  }
}

export const eventRoutes: Resources = {
  '/v1/runs/:rid/events': { get: watchRun },
}
