/**
 * Figures of this server for Prometheus: docs/operate.md lists them. No label holds a word of a request: routes are the
 * router's patterns, methods and statuses are of fixed sets.
 *
 * https://prometheus.io/docs/practices/naming/
 */
import { stat } from 'node:fs/promises'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Exposition, Meter, RouteMeter } from '../http/meter.ts'
import type { Space } from './free-disk.ts'
import type { StorageObserver } from './storage-thread/client.ts'

/** Seconds until an answer begins. */
const ANSWER_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Seconds of a commit: a good disk takes less than one of its thousandth. */
const COMMIT_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

const METHODS = new Set(['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'])

/** Statuses of failures that an operator wants to hear of. */
const FAILURES: readonly number[] = [500, 503]

/** Figures of all requests. */
interface RequestFigures {
  readonly requests: Counter<'route' | 'method' | 'status'>
  readonly durations: Histogram<'route' | 'method'>
  readonly failures: Counter<'status'>
}

interface BoundMethod {
  readonly method: string
  readonly time: Histogram.Internal<string>
  readonly counts: Map<number, Counter.Internal>
}

/** Parts of the server that are asked when somebody asks for the figures. */
export interface Sources {
  readonly version: string
  readonly storage: string
  readonly bodies: { readonly bytes: number; readonly bodies: number }
  readonly openAnswers: { count(kind: 'answers' | 'events'): number }
  /** Files of the storage by their part, where it has some on this machine. */
  readonly files: Readonly<Record<string, string>> | undefined
  readonly disk:
    | { readonly space: Space | undefined; readonly reusable: number; readonly leastFree: number }
    | undefined
}

function requestFigures(registers: Registry[]): RequestFigures {
  const failures = new Counter({
    name: 'mcb_http_failures_total',
    help: 'Requests that were answered 500, a defect, or 503, which a client tries again',
    labelNames: ['status'],
    registers,
  })
  // From the start, so that the first one is seen to come.
  for (const status of FAILURES) failures.inc({ status }, 0)
  const requests = new Counter({
    name: 'mcb_http_requests_total',
    help: 'Requests that were answered, by route, method and status',
    labelNames: ['route', 'method', 'status'],
    registers,
  })
  const durations = new Histogram({
    name: 'mcb_http_request_duration_seconds',
    help: 'Seconds from a request to the beginning of its answer',
    labelNames: ['route', 'method'],
    buckets: ANSWER_BUCKETS,
    registers,
  })
  return { requests, durations, failures }
}

export class NodeMeter implements Meter, StorageObserver {
  private readonly registry = new Registry()
  private readonly requests: RequestFigures
  private readonly draws: Counter
  private readonly bytes: Counter
  private readonly commits: Histogram
  private readonly refusals: Counter<'status'>
  private telling: Promise<Exposition> | undefined

  constructor() {
    const registers = [this.registry]
    this.requests = requestFigures(registers)
    this.draws = new Counter({
      name: 'mcb_draws_appended_total',
      help: 'Draws that were stored for the first time',
      registers,
    })
    this.bytes = new Counter({
      name: 'mcb_bytes_appended_total',
      help: 'Bytes of the decoded batches that brought them',
      registers,
    })
    this.commits = new Histogram({
      name: 'mcb_storage_commit_seconds',
      help: 'Seconds that SQLite took for a commit of writes, which is the wait for the disk',
      buckets: COMMIT_BUCKETS,
      registers,
    })
    this.refusals = new Counter({
      name: 'mcb_http_refused_total',
      help: 'Answers to bytes that are no HTTP request',
      labelNames: ['status'],
      registers,
    })
    collectDefaultMetrics({ register: this.registry })
  }

  route(pattern: string): RouteMeter {
    return new BoundRoute(pattern, this.requests)
  }

  appended(draws: number, bytes: number): void {
    this.draws.inc(draws)
    this.bytes.inc(bytes)
  }

  committed(seconds: number): void {
    this.commits.observe(seconds)
  }

  refused(status: number): void {
    this.refusals.inc({ status })
  }

  /** Adds the figures that are looked up when they are asked for. */
  watch({ version, storage, bodies, openAnswers, files, disk }: Sources): void {
    const info = { version, storage }
    this.gauge('mcb_build_info', 'Always 1; the labels tell the version and the kind of storage', [
      'version',
      'storage',
    ])
      .labels(info)
      .set(1)
    this.look('mcb_bodies_in_flight_bytes', 'Memory of bodies that are received or stored', () => bodies.bytes)
    this.look('mcb_bodies_arriving', 'Bodies that are being received', () => bodies.bodies)
    this.look('mcb_open_answers', 'Answers to reads that are open', () => openAnswers.count('answers'))
    this.look('mcb_watchers', 'Streams of events that are open', () => openAnswers.count('events'))
    if (files !== undefined) this.lookAtFiles(files)
    if (disk === undefined) return
    this.look(
      'mcb_storage_reusable_bytes',
      'Bytes of the database that deletions have left for new data',
      () => disk.reusable,
    )
    this.look('mcb_disk_free_bytes', "Bytes that may still be written to the data's disk", () => disk.space?.free)
    this.look('mcb_disk_total_bytes', "Bytes of the data's disk", () => disk.space?.total)
    this.look('mcb_disk_least_free_bytes', 'Free bytes below which writes are refused', () => disk.leastFree)
  }

  /** Those who ask at the same time are told the same. */
  exposition(): Promise<Exposition> {
    this.telling ??= this.tell().finally(() => {
      this.telling = undefined
    })
    return this.telling
  }

  private async tell(): Promise<Exposition> {
    return { type: this.registry.contentType, text: await this.registry.metrics() }
  }

  private lookAtFiles(files: Readonly<Record<string, string>>): void {
    const gauge = this.gauge('mcb_storage_bytes', 'Bytes of the files of the storage, by part', ['part'], async () => {
      for (const [part, path] of Object.entries(files)) gauge.labels({ part }).set(await bytesOf(path))
    })
  }

  private look(name: string, help: string, read: () => number | undefined): void {
    const gauge: Gauge = this.gauge(name, help, [], () => gauge.set(read() ?? Number.NaN))
  }

  private gauge<L extends string>(name: string, help: string, labelNames: L[], collect?: () => void | Promise<void>) {
    return new Gauge<L>({ name, help, labelNames, registers: [this.registry], ...(collect && { collect }) })
  }
}

/** Bytes of a file, 0 where there is none. */
async function bytesOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch {
    return 0
  }
}

/** Keeps the children of its labels, so that a request makes no labels. */
class BoundRoute implements RouteMeter {
  private readonly route: string
  private readonly figures: RequestFigures
  private readonly byMethod = new Map<string, BoundMethod>()

  constructor(route: string, figures: RequestFigures) {
    this.route = route
    this.figures = figures
  }

  answered(method: string, status: number, seconds: number): void {
    const bound = this.byMethod.get(method) ?? this.bind(METHODS.has(method) ? method : 'other')
    bound.time.observe(seconds)
    let count = bound.counts.get(status)
    if (count === undefined) {
      count = this.figures.requests.labels({ route: this.route, method: bound.method, status: String(status) })
      bound.counts.set(status, count)
    }
    count.inc()
    if (FAILURES.includes(status)) this.figures.failures.inc({ status })
  }

  private bind(method: string): BoundMethod {
    const known = this.byMethod.get(method)
    if (known !== undefined) return known
    const time = this.figures.durations.labels({ route: this.route, method })
    const bound = { method, time, counts: new Map<number, Counter.Internal>() }
    this.byMethod.set(method, bound)
    return bound
  }
}
