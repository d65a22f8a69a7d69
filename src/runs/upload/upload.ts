import { sizeOf } from '../../core/draws/ndarray.ts'
import type { Bytes } from '../../core/draws/segment.ts'
import { McbError } from '../../core/errors.ts'
import { Queues } from '../../core/queues.ts'
import type { ChainState, Usage } from '../../core/store.ts'
import { decodeChunk, type Elements, encodeChunk } from '../../core/upload/chunk.ts'
import { type Document, parseDocument } from '../../core/upload/document.ts'
import { chunkOfKey, chunksOfBox, copyBox, emptyTarget, overlap, type Target } from '../../core/upload/grid.ts'
import {
  type Documents,
  groupOf,
  isSampled,
  type Layout,
  layoutOf,
  type Node,
  rootOf,
  samplerSettings,
} from '../../core/upload/layout.ts'
import { chainsOf, declare, firstFacts, hasPlace } from '../../core/upload/registration.ts'
import { ROW_BYTES } from '../../core/usage.ts'
import { equalBytes } from '../../core/wire/protobuf.ts'
import { acceptRunMeta, encodeRunMeta } from '../../core/wire/run-meta.ts'
import type { StoreBackend, StoreRun } from '../backend.ts'
import { isStoredEqual } from './comparison.ts'
import { conflict, requireFit } from './declared-anew.ts'
import { UploadDraws } from './draws-of-upload.ts'
import { endUpload } from './ending.ts'
import { Growth } from './growth.ts'
import { DONE_MARK, doubtsOf, ENDING_MARK, markOf, type Objects, RUN_MARK, SENT, sortObjects } from './objects.ts'
import { DOCUMENT, isDocument, nodeOf, requirePath } from './paths.ts'
import { refresh } from './refresh.ts'
import { hasDraws, isDeclaredAhead } from './signs.ts'
import { type DecodedChunks, pathOfChunk, StagedChunks } from './staged-chunks.ts'

/** Documents that are read at a time. */
const DOCUMENTS_AT_ONCE = 200

/** Bytes that an upload keeps in memory for each chunk that waits, and for each document. */
const CHUNK_WEIGHT = 200
const DOCUMENT_WEIGHT = 2_000

export class Upload {
  readonly rid: string
  private readonly backend: StoreBackend
  private readonly chunks: StagedChunks
  private readonly documents = new Map<string, Document>()
  /** Documents as they were sent, by path of their array or group. */
  private readonly sources = new Map<string, Bytes>()
  private readonly queues = new Queues()
  /** Objects that were there before any document. */
  private leftovers: readonly string[] = []
  /** The run, once it is registered. */
  private growth: Growth | undefined
  private newRuns = 0
  /** Requests that have written so far: a sign of life. */
  activity = 0

  private constructor(backend: StoreBackend, rid: string, decoded: DecodedChunks | undefined) {
    this.backend = backend
    this.rid = rid
    this.chunks = new StagedChunks(backend.store, rid, decoded)
  }

  /** The upload as it is stored. */
  static async load(backend: StoreBackend, rid: string, decoded: DecodedChunks | undefined): Promise<Upload> {
    const upload = new Upload(backend, rid, decoded)
    await upload.load()
    return upload
  }

  /** Nothing more is kept of requests that are under way: the run is about to be deleted. */
  end(): void {
    this.chunks.isDeleted = true
  }

  get isRegistered(): boolean {
    return this.growth !== undefined
  }

  /** Runs and bytes that came to the storage since this was asked last. */
  takeAdded(): Usage {
    const added = { runs: this.newRuns, bytes: this.chunks.added }
    this.newRuns = 0
    this.chunks.added = 0
    return added
  }

  get weight(): number {
    return this.chunks.sizes.size * CHUNK_WEIGHT + this.documents.size * DOCUMENT_WEIGHT
  }

  /** True where there is anything that a writer has sent. */
  get isBegun(): boolean {
    return this.documents.size > 0 || this.chunks.sizes.size > 0
  }

  /** Changes with what is there, for servers that do not see all requests. */
  get sign(): string {
    let bytes = 0
    for (const size of this.chunks.sizes.values()) bytes += size
    for (const source of this.sources.values()) bytes += source.length
    return `${this.documents.size}/${this.chunks.sizes.size}/${bytes}`
  }

  /** True where the end of the writer shows in that it sends no more: xarray's, which writes the root's document after each group. */
  get mayHaveEnded(): boolean {
    return this.growth === undefined && rootOf(this.documents)?.isConsolidated === true && hasDraws(this.documents)
  }

  private async load(): Promise<void> {
    const { backend, rid } = this
    const { store } = backend
    const [listed, seen] = await Promise.all([store.listStaged(rid, ''), backend.getRun(rid)])
    let run = seen
    let objects = sortObjects(listed, run?.registration)
    if (objects.foreign.length > 0) {
      // The run may have been registered, or deleted, between the two answers; one that is found behind the list is not older.
      run = await backend.getRun(rid)
      objects = sortObjects(listed, run?.registration)
      if (objects.foreign.length > 0) await store.unstage(rid, objects.foreign)
    }
    if (run !== undefined && objects.marks.has(RUN_MARK)) this.chunks.bind(run.registration)
    this.chunks.replace([...objects.sent].filter(([path]) => !isDocument(path)))
    await this.readDocuments(objects)
    if (this.documents.size === 0) this.leftovers = listed.map(({ path }) => path)
    if (run !== undefined && objects.marks.has(RUN_MARK)) await this.resume(run, objects.marks)
  }

  private async readDocuments({ sent }: Objects): Promise<void> {
    const documents = [...sent].filter(([path]) => isDocument(path))
    for (let at = 0; at < documents.length; at += DOCUMENTS_AT_ONCE) {
      const some = documents.slice(at, at + DOCUMENTS_AT_ONCE)
      const read = await this.backend.store.staged(
        this.rid,
        some.map(([, object]) => object.path),
      )
      for (const [i, [path]] of some.entries()) {
        const bytes = read[i]
        if (bytes === undefined) continue
        this.documents.set(nodeOf(path), await parseDocument(path, bytes, this.backend.limits))
        this.sources.set(nodeOf(path), bytes)
      }
    }
  }

  /** Takes up the run that this upload has registered. */
  private async resume(run: StoreRun, marks: ReadonlySet<string>): Promise<void> {
    const layout = layoutOf(this.documents, this.backend.limits)
    const chains = await chainsOf(layout, (node) => this.readArray(node))
    const growth = await this.adopt(run, layout, chains, doubtsOf(marks))
    growth.isDone = marks.has(DONE_MARK)
    if (growth.isDone) await growth.learnWarmups()
    else if (marks.has(ENDING_MARK)) await endUpload(growth, this.documents)
    await growth.dropSpent()
  }

  /** Paths of what is there, as its writer knows it: documents, and chunks with something in them, also such as became draws. */
  paths(): string[] {
    const chunks = [...this.chunks.sizes].filter(([, size]) => size > 0).map(([path]) => path)
    return [...[...this.documents.keys()].map((node) => (node === '' ? DOCUMENT : `${node}/${DOCUMENT}`)), ...chunks]
  }

  /** Documents that are there, by path of their array or group. */
  get known(): Documents {
    return this.documents
  }

  source(node: string): Bytes | undefined {
    return this.sources.get(node)
  }

  // -- documents ---------------------------------------------------------------------------------------------------------

  /** Takes a document. @throws McbError as `parseDocument`, `run_conflict` */
  putDocument(path: string, bytes: Bytes): Promise<void> {
    this.activity++
    return this.queues.run('documents', () => this.takeDocument(path, bytes))
  }

  private async takeDocument(path: string, bytes: Bytes): Promise<void> {
    requirePath(path)
    const node = nodeOf(path)
    const before = this.sources.get(node)
    if (before !== undefined && equalBytes(before, bytes)) return
    const document = await parseDocument(path, bytes, this.backend.limits)
    await this.requireWritable()
    if (!this.documents.has(node)) this.requireRoomForDocuments()
    const earlier = this.documents.get(node)
    if (this.growth !== undefined) requireFit(this.growth, node, earlier, document)
    if (document.kind === 'array') await this.checkChunksOf({ path: node, array: document })
    await this.chunks.keep(path, bytes)
    this.documents.set(node, document)
    this.sources.set(node, bytes)
    // nutpie declares the arrays of events anew when all chains have ended, with as many as there were.
    const isEnd =
      earlier?.kind === 'array' && document.kind === 'array' && samplerSettings(this.documents) !== undefined
    if (isEnd && this.growth !== undefined) await endUpload(this.growth, this.documents)
  }

  /** @throws McbError `run_conflict` where a run of this id came from elsewhere */
  private async requireWritable(): Promise<void> {
    if (this.growth !== undefined || this.documents.size > 0) return
    if ((await this.backend.getRun(this.rid)) !== undefined) throw conflict(this.rid, 'it was registered elsewhere')
    // An earlier upload of a run that was deleted may have left some; what came since this was loaded is of this one.
    if (this.leftovers.length > 0) await this.backend.store.unstage(this.rid, this.leftovers)
    this.leftovers = []
    this.chunks.replace([])
  }

  private requireRoomForDocuments(): void {
    const most = 4 * this.backend.limits.columns
    if (this.documents.size < most) return
    throw new McbError('invalid_run_meta', `more than ${most} arrays and groups are declared`, { limit: most })
  }

  /** Judges chunks that came before their array was declared, as nutpie's labels do. */
  private async checkChunksOf(node: Node): Promise<void> {
    if (sizeOf(node.array.grid) > 1_000) return
    for (const chunk of chunksOfBox(
      node.array,
      node.array.shape.map(() => 0),
      node.array.shape,
    )) {
      const path = pathOfChunk(node, chunk)
      if ((this.chunks.sizes.get(path) ?? 0) > 0) await this.chunks.read([{ node, chunk }])
    }
  }

  /** Forgets a document. @throws McbError `run_conflict` for one of a run that is registered */
  deleteDocument(path: string): Promise<void> {
    return this.queues.run('documents', async () => {
      const node = nodeOf(path)
      if (!this.documents.has(node)) return
      if (this.growth !== undefined) throw conflict(this.rid, 'its documents stay as long as it does')
      this.activity++
      await this.backend.store.unstage(this.rid, [SENT + path])
      this.documents.delete(node)
      this.sources.delete(node)
    })
  }

  // -- chunks ------------------------------------------------------------------------------------------------------------

  /** The array that a path of a chunk belongs to; undefined where none is declared. @throws McbError `invalid_parameter` outside of its grid */
  find(path: string): { readonly node: Node; readonly chunk: readonly number[] } | undefined {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const array = this.documents.get(path.slice(0, at))
      if (array?.kind !== 'array') continue
      const chunk = chunkOfKey(array, path.slice(at + 1))
      if (chunk !== undefined) return { node: { path: path.slice(0, at), array }, chunk }
      throw new McbError(
        'invalid_parameter',
        `"${path}" is no chunk of its array, which has a grid of [${array.grid}] chunks`,
      )
    }
    return undefined
  }

  /** Takes a chunk; without bytes, one of nothing but fill. @throws McbError `invalid_parameter`, `draw_conflict`, `run_conflict` */
  async putChunk(path: string, bytes: Bytes): Promise<void> {
    this.activity++
    const found = this.find(path)
    if (found === undefined) return this.putUndeclared(path, bytes)
    const { node, chunk } = found
    const elements = bytes.length === 0 ? undefined : decodeChunk(path, node.array, bytes)
    if (this.growth === undefined) await this.registerIfDeclared(node)
    const place = this.growth?.placeOf(node)
    if (this.growth === undefined || place === undefined) return this.stageOther(path, bytes, elements)
    const sent = { path, node, chunk, bytes, elements }
    if (!(await isStoredEqual(this.growth, place, sent))) await this.growth.put(place, sent)
  }

  /** A chunk that comes before its array, of labels. */
  private async putUndeclared(path: string, bytes: Bytes): Promise<void> {
    requirePath(path)
    if (bytes.length === 0) {
      await this.chunks.drop([path])
      return this.chunks.flush()
    }
    if (!/\//.test(path))
      throw new McbError('invalid_parameter', `"${path}" is neither a zarr.json nor a chunk of an array`)
    await this.requireBegun()
    await this.chunks.stage(path, bytes)
  }

  private async requireBegun(): Promise<void> {
    if (this.documents.size > 0) return
    if ((await this.backend.getRun(this.rid)) !== undefined) throw conflict(this.rid, 'it was registered elsewhere')
    throw new McbError('invalid_parameter', 'a Zarr store begins with the zarr.json of its root')
  }

  /** Keeps a chunk that has no draws of a run, or of one that is to come. */
  private async stageOther(path: string, bytes: Bytes, elements: Elements | undefined): Promise<void> {
    await this.chunks.stage(path, bytes, elements)
  }

  /** Registers the run where all is declared before the first chunk of draws comes, as nutpie does. */
  private async registerIfDeclared({ path, array }: Node): Promise<void> {
    if (!isSampled(array) || rootOf(this.documents)?.isConsolidated === true || !hasPlace(groupOf(path))) return
    if (samplerSettings(this.documents) === undefined && !isDeclaredAhead(this.documents, this.chunks.sizes.keys()))
      return
    await this.queues.run('documents', () => this.register())
  }

  /** @param first a mark that the run has before any server takes it for this upload's */
  private async register(first?: typeof ENDING_MARK): Promise<Growth> {
    if (this.growth !== undefined) return this.growth
    const { backend, rid } = this
    const { limits, store } = backend
    const layout = layoutOf(this.documents, limits)
    const { meta, chains } = await declare(rid, this.documents, layout, (node) => this.readArray(node))
    const bytes = encodeRunMeta(meta)
    if (bytes.length > limits.runMetaBytes) {
      throw new McbError('payload_too_large', `labels and data have more than ${limits.runMetaBytes} bytes`, {
        limit: limits.runMetaBytes,
      })
    }
    const run = await backend.register(rid, acceptRunMeta(bytes, rid, limits))
    if (first !== undefined) await store.stage(rid, markOf(run.registration, first), new Uint8Array())
    await store.stage(rid, markOf(run.registration, RUN_MARK), new Uint8Array())
    if (run.isNew) {
      this.newRuns++
      this.chunks.added += ROW_BYTES * (1 + chains.length) + bytes.length
    }
    this.chunks.bind(run.registration)
    return this.adopt(run, layout, chains)
  }

  /** Makes sure of chains and facts, which a server that ended may not have come to. */
  private async adopt(
    run: StoreRun,
    layout: Layout,
    chains: readonly number[],
    doubts = new Set<string>(),
  ): Promise<Growth> {
    const [states, { facts }] = await Promise.all([run.chainStates(), run.about()])
    const lengths = new Map(states.map(({ chain, length }) => [chain, length]))
    for (const number of chains) {
      if (!lengths.has(number)) lengths.set(number, (await run.initChain(number)).state.length)
    }
    if (facts.startedAt === undefined) await run.changeAbout({ facts: firstFacts(this.documents, layout, new Date()) })
    const draws = new UploadDraws(run, layout, chains, this.chunks)
    const { backend, chunks, rid } = this
    const warmupOf = (states: readonly ChainState[]) => backend.warmupOf(run, states)
    const { store } = backend
    const parts = { store, rid, draws, chunks, lengths, doubts, warmupOf }
    this.growth = new Growth({ ...parts, ...(store.writersElsewhere && { refresh }) })
    return this.growth
  }

  // -- from chunks to draws ------------------------------------------------------------------------------------------------

  /** Registers the run where its writer has ended without a sign, and stores what there is. */
  settle(): Promise<void> {
    return this.queues.run('documents', async () => {
      if (!this.mayHaveEnded) return
      // A reader that found the run without the mark would take it for whole.
      await endUpload(await this.register(ENDING_MARK), this.documents)
    })
  }

  // -- reading back --------------------------------------------------------------------------------------------------------

  /** Bytes of a chunk as its array's codecs have them; undefined for one that is not there, and reads as fill. */
  async chunk(path: string): Promise<Bytes | undefined> {
    const size = this.chunks.sizes.get(path)
    const found = this.find(path)
    if (size !== undefined && size > 0) return this.chunks.bytes(path)
    const { growth } = this
    const place = found === undefined ? undefined : growth?.placeOf(found.node)
    if (found === undefined || growth === undefined || place === undefined || size === 0) return undefined
    const { node, chunk } = found
    const [across = 1, length = 1] = node.array.chunkShape
    const chains = Array.from({ length: across }, (_, i) => (chunk[0] ?? 0) * across + i)
    const first = (chunk[1] ?? 0) * length
    if (!chains.some((chain) => growth.rowsDone(place.part, chain) > first)) return undefined
    return encodeChunk(node.array, await growth.storedChunk(node, place, chunk))
  }

  /** All elements of an array whose chunks wait. */
  private async readArray(node: Node): Promise<Target> {
    const { array } = node
    const target = emptyTarget(array, array.shape)
    const from = array.shape.map(() => 0)
    for (const chunk of chunksOfBox(array, from, array.shape)) {
      const read = await this.chunks.read([{ node, chunk }])
      const elements = read.get(pathOfChunk(node, chunk)) ?? []
      copyBox(
        { elements, shape: array.chunkShape },
        target,
        overlap(array, chunk, from, array.shape),
        array.type.itemSize,
      )
    }
    return target
  }
}
