/**
 * Bytes behind an index: objects that grow at their end, and of which parts are read.
 *
 * The index, which lies elsewhere, names object, offset, length and checksums. Bytes are on the disk before the index names
 * them; those that nothing names are overwritten by the next put, or swept.
 */

export type Bytes = Uint8Array<ArrayBuffer>

/** Called as bytes come, with those that are there: what looks at them then finds them in the processor's cache. */
export type Came = (bytes: Bytes) => void

export interface StoredObject {
  readonly key: string
  /** Bytes of it. */
  readonly size: number
}

/** The way in which parts of objects are read where each request is dear. */
export interface Together {
  /** Bytes between two parts of an object up to which they are read in one. */
  readonly gap: number
  /** Bytes that are read in one at most, where they are more than one part. */
  readonly most: number
  /** Requests at a time. */
  readonly atOnce: number
}

export interface Objects {
  /** Absent where a request costs next to nothing. */
  readonly together?: Together
  /**
   * Puts pieces, one after the other, into an object from byte `at` on, and resolves when they are durable. `at` is the end
   * of what the index names in it: bytes behind that are of puts which were cut off.
   *
   * @throws McbError `storage_unavailable` when the storage does not take them
   */
  put(key: string, at: number, pieces: readonly Uint8Array[]): Promise<void>
  /**
   * Fills memory with bytes from byte `at` on, and resolves to their number, which is smaller where the object ends before;
   * undefined when there is no such object.
   */
  get(key: string, at: number, into: Bytes, came?: Came): Promise<number | undefined>
  /** Deletes objects; those that are missing are no error. */
  delete(keys: readonly string[]): Promise<void>
  /** All objects whose keys begin so, in no order. */
  list(prefix?: string): AsyncIterable<StoredObject>
}
