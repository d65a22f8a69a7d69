/**
 * Figures of this server for Prometheus: docs/operate.md lists them. No label holds a word of a request: routes are the
 * router's patterns, methods and statuses are of fixed sets.
 *
 * https://prometheus.io/docs/practices/naming/
 */
import { stat } from 'node:fs/promises'
import { Counter, Gauge, Registry } from 'prom-client'
import type { Exposition, Meter, RouteMeter } from '../http/meter.ts'
import type { Space } from './free-disk.ts'
import { Histogram } from './histogram.ts'
import { addProcessFigures } from './process-figures.ts'
import { Tally } from './tally.ts'

/** Seconds until an answer begins. */
const ANSWER_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

const METHODS = new Set(['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'])

/** Statuses of failures that an operator wants to hear of; both are told from the start, so that the first one is seen to come. */
const FAILURES: readonly number[] = [500, 503]

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

export class NodeMeter implements Meter {
  /** Counts of what is stored, for the storage. */
  readonly tally = new Tally()
  private readonly registry = new Registry()
  private readonly routes: CountedRoute[] = []
  private readonly refusals: Counter<'status'>
  private telling: Promise<Exposition> | undefined

  constructor() {
    const { tally } = this
    this.addRequests()
    this.count('mcb_draws_appended_total', 'Draws that were stored for the first time', () => tally.draws)
    this.count('mcb_bytes_appended_total', 'Bytes of the decoded batches that brought them', () => tally.bytes)
    this.refusals = new Counter({
      name: 'mcb_http_refused_total',
      help: 'Answers to bytes that are no HTTP request',
      labelNames: ['status'],
      registers: [this.registry],
    })
    addProcessFigures(this.registry)
  }

  route(pattern: string): RouteMeter {
    const route = new CountedRoute(pattern)
    this.routes.push(route)
    return route
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
    const histograms = [
      '# HELP mcb_http_request_duration_seconds Seconds from a request to the beginning of its answer',
      '# TYPE mcb_http_request_duration_seconds histogram',
      ...this.routes.flatMap((route) => route.durationLines('mcb_http_request_duration_seconds')),
      '# HELP mcb_storage_commit_seconds Seconds that appends waited for the disk, all that went together once',
      '# TYPE mcb_storage_commit_seconds histogram',
      ...this.tally.commits.lines('mcb_storage_commit_seconds', ''),
    ]
    return { type: this.registry.contentType, text: `${await this.registry.metrics()}${histograms.join('\n')}\n` }
  }

  /** Adds the counts of requests, which each route keeps until they are asked for. */
  private addRequests(): void {
    const registers = [this.registry]
    const requests: Counter<'route' | 'method' | 'status'> = new Counter({
      name: 'mcb_http_requests_total',
      help: 'Requests that were answered, by route, method and status',
      labelNames: ['route', 'method', 'status'],
      registers,
      collect: () => {
        requests.reset()
        for (const { pattern: route, counts } of this.routes) {
          for (const { method, status, count } of counts()) requests.inc({ route, method, status }, count)
        }
      },
    })
    const failures: Counter<'status'> = new Counter({
      name: 'mcb_http_failures_total',
      help: 'Requests that were answered 500, a defect, or 503, which a client tries again',
      labelNames: ['status'],
      registers,
      collect: () => {
        failures.reset()
        for (const status of FAILURES) {
          const counts = this.routes.flatMap(({ counts }) => counts().filter((one) => one.status === status))
          failures.inc(
            { status },
            counts.reduce((sum, { count }) => sum + count, 0),
          )
        }
      },
    })
  }

  private count(name: string, help: string, read: () => number): void {
    const collect = () => {
      counter.reset()
      counter.inc(read())
    }
    const counter: Counter = new Counter({ name, help, registers: [this.registry], collect })
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

interface MethodCounts {
  readonly method: string
  readonly seconds: Histogram
  /** Requests by status. */
  readonly byStatus: Map<number, number>
}

/** The counts of one route, in numbers of its own: a request makes no labels. */
class CountedRoute implements RouteMeter {
  readonly pattern: string
  private readonly byMethod = new Map<string, MethodCounts>()

  constructor(pattern: string) {
    this.pattern = pattern
  }

  answered(method: string, status: number, seconds: number): void {
    const of = this.byMethod.get(method) ?? this.begin(METHODS.has(method) ? method : 'other')
    of.seconds.observe(seconds)
    of.byStatus.set(status, (of.byStatus.get(status) ?? 0) + 1)
  }

  readonly counts = (): { method: string; status: number; count: number }[] =>
    [...this.byMethod.values()].flatMap(({ method, byStatus }) =>
      [...byStatus].map(([status, count]) => ({ method, status, count })),
    )

  durationLines(name: string): string[] {
    return [...this.byMethod.values()].flatMap(({ method, seconds }) =>
      seconds.lines(name, `route="${this.pattern}",method="${method}"`),
    )
  }

  private begin(method: string): MethodCounts {
    const known = this.byMethod.get(method)
    if (known !== undefined) return known
    const counts = { method, seconds: new Histogram(ANSWER_SECONDS), byStatus: new Map<number, number>() }
    this.byMethod.set(method, counts)
    return counts
  }
}
