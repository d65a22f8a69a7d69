/** A store that takes batches of draws, as `bench/others.ts` compares them. */
export interface Contestant {
  /** Stores one batch for a client, and resolves when it is durable. */
  batch(client: number): Promise<void>
  /** Does what the store has left for later, so that the turn of the next one does not pay for it. */
  settle(): Promise<void>
}

/** Clients of each store. */
export const CLIENTS = 4
/** Bytes of a batch. */
export const BATCH_BYTES = 64 * 1024

/** A program that is not on this machine; the message tells how to install it. */
export class MissingError extends Error {
  override readonly name = 'MissingError'
}
