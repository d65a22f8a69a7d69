/** Uploads of a backend by the id of their run, which stay in memory where nobody else writes the store. */
import { McbError } from '../../core/errors.ts'
import { LruMap } from '../../core/lru.ts'
import { Flights } from '../../core/queues.ts'
import type { Elements } from '../../core/upload/chunk.ts'
import type { StoreBackend, StoreRun } from '../backend.ts'
import { SENT } from './objects.ts'
import { isGone, Outdated } from './staged-chunks.ts'
import { Upload } from './upload.ts'

/** Bytes of decoded chunks that are kept until their draws are whole, to spare reading them again. */
const DECODED_BYTES = 32 * 1024 * 1024
/** Bytes of all uploads that are known, roughly; one that is in use stays. */
const KNOWN_BYTES = 64 * 1024 * 1024
/** Milliseconds without a request after which a writer that gives no sign of its end has ended, and between two looks. */
const QUIET_MS = 1500
const LOOK_MS = 300
/** Milliseconds that one look-out for the end takes at most: a Worker may go on for 30 s behind an answer. */
const LOOK_OUT_MS = 25_000
/** Times that a request is begun on an upload with which others go on at the same time. */
const ATTEMPTS = 10
/** Milliseconds that a reader waits for the end of a writer. */
const PATIENCE_MS = 4000

interface Known {
  readonly upload: Promise<Upload>
  users: number
}

export class Uploads {
  private readonly backend: StoreBackend
  private readonly known = new Map<string, Known>()
  private readonly decoded: LruMap<string, Elements> | undefined
  private readonly lookOuts = new Flights<void>()

  constructor(backend: StoreBackend) {
    this.backend = backend
    this.decoded = backend.store.writersElsewhere ? undefined : new LruMap(DECODED_BYTES, weightOf)
  }

  /** Calls `use`, which may be called again, with the upload of a run; it may have nothing in it yet. @throws McbError as `use` */
  async with<T>(rid: string, use: (upload: Upload) => Promise<T>): Promise<T> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        return await this.attempt(rid, use)
      } catch (error) {
        if (!(error instanceof Outdated)) throw error
        this.known.delete(rid)
      }
    }
    const detail = `run "${rid}" is written by many at once; send it again`
    throw new McbError('storage_unavailable', detail, { retryAfter: 1 })
  }

  private async attempt<T>(rid: string, use: (upload: Upload) => Promise<T>): Promise<T> {
    const known = this.open(rid)
    known.users++
    try {
      return await use(await known.upload)
    } catch (error) {
      // A run that was deleted meanwhile took its objects along.
      if (isGone(error) || error instanceof RangeError) this.known.delete(rid)
      if (!isGone(error)) throw error
      throw new McbError(
        'run_conflict',
        `run "${rid}" was deleted while it was written; begin it anew`,
        {},
        { cause: error },
      )
    } finally {
      known.users--
      await this.trim(rid)
    }
  }

  private open(rid: string): Known {
    if (this.backend.store.writersElsewhere) return { upload: Upload.load(this.backend, rid, undefined), users: 0 }
    const known = this.known.get(rid)
    if (known !== undefined) {
      this.known.delete(rid)
      this.known.set(rid, known)
      return known
    }
    const fresh = { upload: Upload.load(this.backend, rid, this.decoded), users: 0 }
    this.known.set(rid, fresh)
    fresh.upload.catch(() => this.known.delete(rid))
    return fresh
  }

  /** Forgets uploads that are not in use: those without anything in them, and those of long ago beyond a bound. */
  private async trim(rid: string): Promise<void> {
    const own = this.known.get(rid)
    if (own?.users === 0 && !(await own.upload.catch(() => undefined))?.isBegun && own.users === 0)
      this.known.delete(rid)
    let bytes = 0
    for (const [other, { upload, users }] of [...this.known].reverse()) {
      bytes += (await upload.catch(() => undefined))?.weight ?? 0
      if (bytes > KNOWN_BYTES && users === 0) this.known.delete(other)
    }
  }

  /** Deletes a run with its upload; see `StoreBackend.deleteRun`. */
  async deleteRun(rid: string): Promise<boolean> {
    const upload = await this.known.get(rid)?.upload.catch(() => undefined)
    upload?.end()
    try {
      return await this.backend.deleteRun(rid)
    } finally {
      this.known.delete(rid)
    }
  }

  /** Waits for the end of a writer that gives no sign of it, and then stores what it has written. */
  lookOut(rid: string): Promise<void> {
    return this.lookOuts.run(rid, async () => {
      const until = Date.now() + LOOK_OUT_MS
      let seen = await this.signOf(rid)
      let since = Date.now()
      while (seen !== undefined && Date.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
        const now = await this.signOf(rid)
        if (now !== seen) since = Date.now()
        seen = now
        if (Date.now() - since >= QUIET_MS) return this.with(rid, (upload) => upload.settle())
      }
    })
  }

  /** Changes with every request of a writer; undefined where nothing is to be waited for. */
  private async signOf(rid: string): Promise<string | undefined> {
    const known = this.known.get(rid)
    if (known !== undefined) {
      const upload = await known.upload
      return upload.mayHaveEnded ? `${upload.activity}/${known.users}` : undefined
    }
    const [root] = await this.backend.store.staged(rid, [`${SENT}zarr.json`])
    if (root === undefined) return undefined
    return this.with(rid, async (upload) => (upload.mayHaveEnded ? upload.sign : undefined))
  }

  /** The run that an upload becomes whose writer has given no sign of its end, once it sends no more for a moment; waits for it a while. */
  async settled(rid: string): Promise<StoreRun | undefined> {
    if ((await this.signOf(rid)) === undefined) return undefined
    await Promise.race([this.lookOut(rid), new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))])
    return this.backend.getRun(rid)
  }
}

const known = new WeakMap<StoreBackend, Uploads>()

/** The uploads of a backend. */
export function uploadsOf(backend: StoreBackend): Uploads {
  let uploads = known.get(backend)
  if (uploads === undefined) {
    uploads = new Uploads(backend)
    known.set(backend, uploads)
  }
  return uploads
}

function weightOf(elements: Elements): number {
  return elements instanceof Uint8Array
    ? elements.length + 100
    : elements.reduce((bytes, { length }) => bytes + 2 * length + 40, 100)
}
