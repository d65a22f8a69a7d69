/** Limits of one deployment (docs/protocol.md §5). */

export interface Limits {
  /** Bytes of a decoded body. */
  readonly bodyBytes: number
  /** Bytes of a decoded RunMeta. */
  readonly runMetaBytes: number
  /** Bytes of a decoded body of JSON, which takes several times its size. */
  readonly jsonBytes: number
  /** Iterations of one batch. */
  readonly batchIterations: number
  /** Bytes of one answer. */
  readonly answerBytes: number
  /** Variables and sampler stats of a run together. */
  readonly columns: number
  /** Chains of a run. */
  readonly chains: number
  /** Elements of a fixed shape. */
  readonly elements: number
  /** Values of draws that one trace goes through. */
  readonly tracedValues: number
  /** Keys of a tenant, shares apart. */
  readonly keys: number
  /** Shares of a run. */
  readonly shares: number
}

const MIB = 1024 * 1024

export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 64 * MIB,
  runMetaBytes: 16 * MIB,
  jsonBytes: 8 * MIB,
  batchIterations: 1_000_000,
  answerBytes: 1024 * MIB,
  columns: 10_000,
  chains: 10_000,
  elements: 2 ** 31,
  tracedValues: 200_000_000,
  keys: 10_000,
  shares: 1_000,
}

/** Bounds of one server, on all that it holds at a time for its callers (docs/protocol.md §5). */
export interface Bounds {
  /** Bytes that bodies of requests take together, compressed and decoded, until their requests are answered. */
  readonly bodiesBytes: number
  /** Bytes that the bodies of one tenant take, where there are several tenants. */
  readonly tenantBodiesBytes: number
  /** Bytes of whole documents, such as metadata, in answers that nobody has taken yet; one tenant may have half of them. */
  readonly documentsBytes: number
  /**
   * Bytes of draws that answers hold until they are sent, beside 2 MiB of each answer; half of the bytes may be one tenant's.
   * Draws without room are read from the storage again.
   */
  readonly heldBytes: number
  /** Answers to reads that are open at a time, for one tenant. */
  readonly answers: number
  /** Streams of events that are open at a time, for one tenant, apart from answers to reads. */
  readonly eventStreams: number
  /** Bodies that are streams, each for as long as its sender wishes, at a time, for one tenant. */
  readonly bodyStreams: number
  /** Milliseconds after which a body that makes no progress is cut. */
  readonly stallMs: number
  /** Milliseconds for which a body that is a stream may be silent. */
  readonly silenceMs: number
}

export const DEFAULT_BOUNDS: Bounds = {
  bodiesBytes: 512 * MIB,
  tenantBodiesBytes: 256 * MIB,
  documentsBytes: 256 * MIB,
  heldBytes: 64 * MIB,
  answers: 256,
  eventStreams: 1024,
  bodyStreams: 64,
  stallMs: 60_000,
  silenceMs: 24 * 60 * 60_000,
}
