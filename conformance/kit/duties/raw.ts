/** The server without a client: requests as docs/protocol.md has them, so that nothing of a client judges another one. */
import { mcbackend } from '../../../src/core/generated/messages.js'
import { deleteAll } from '../deleting.ts'
import { isRecord } from '../protocol.ts'

const PROTOBUF = 'application/x-protobuf'
export const DRAWS = /^\/v1\/runs\/[^/]+\/chains\/\d+\/draws(\?|$)/

export type Bytes = Uint8Array<ArrayBuffer>

export class RawServer {
  private readonly url: string
  private readonly headers: Readonly<Record<string, string>>
  /** Draws that were sent to each chain, by anybody, as often as that was asked for. */
  private readonly sent = new Map<string, number>()
  /** Paths of the runs that were registered here. */
  private readonly created = new Set<string>()

  constructor(url: string, token: string | undefined) {
    this.url = url
    this.headers = token === undefined ? {} : { Authorization: `Bearer ${token}` }
  }

  /** @throws Error for an answer that is not among `expected` */
  async request(
    method: string,
    path: string,
    body: Bytes | undefined,
    ...expected: readonly number[]
  ): Promise<Response> {
    const type: Record<string, string> = body === undefined ? {} : { 'Content-Type': PROTOBUF }
    const init = { method, headers: { ...this.headers, ...type, Accept: `${PROTOBUF}, application/json;q=0.9` } }
    const answer = await fetch(this.url + path, body === undefined ? init : { ...init, body })
    if (expected.includes(answer.status)) return answer
    throw new Error(`${method} ${path} was answered with ${answer.status}: ${await answer.text()}`)
  }

  /** Registers a run anew, and gives its registration. */
  async register(rid: string, meta: Bytes): Promise<string> {
    await this.remove(rid)
    const { headers } = await this.request('PUT', `/v1/runs/${rid}`, meta, 201)
    this.created.add(`/v1/runs/${rid}`)
    return headers.get('Mcb-Registration') ?? ''
  }

  async remove(rid: string): Promise<void> {
    await this.request('DELETE', `/v1/runs/${rid}`, undefined, 204, 404)
  }

  /** The RunMeta of a run; undefined when there is none. */
  async meta(rid: string): Promise<Bytes | undefined> {
    const answer = await this.request('GET', `/v1/runs/${rid}`, undefined, 200, 404)
    return answer.status === 200 ? new Uint8Array(await answer.arrayBuffer()) : undefined
  }

  /** The length of a chain, which is made if it is not there. */
  async chain(rid: string, chain = 0): Promise<number> {
    const answer = await this.request('PUT', `/v1/runs/${rid}/chains/${chain}`, undefined, 200, 201)
    return numberIn(await answer.json(), 'length')
  }

  /** Appends a batch to a chain that is there. */
  async append(rid: string, batch: Bytes | mcbackend.DrawBatch.$Properties, chain = 0): Promise<void> {
    const bytes = batch instanceof Uint8Array ? batch : new Uint8Array(mcbackend.DrawBatch.encode(batch).finish())
    this.note(rid, chain, Number(mcbackend.DrawBatch.decode(bytes).count))
    await this.request('POST', `/v1/runs/${rid}/chains/${chain}/draws`, bytes, 200)
  }

  /** Notes that a client is about to append draws to a chain. */
  note(rid: string, chain: number, count: number): void {
    const name = `${rid}/${chain}`
    // Tests of refusals give other counts, too.
    if (count > 0) this.sent.set(name, (this.sent.get(name) ?? 0) + count)
  }

  /** @throws Error when a chain has more draws than anybody was asked to append: some are there twice */
  async expectNoneTwice(rid: string, chain: number): Promise<void> {
    const answer = await this.request('GET', `/v1/runs/${rid}/chains/${chain}`, undefined, 200, 404)
    if (answer.status === 404) return
    const [length, sent] = [numberIn(await answer.json(), 'length'), this.sent.get(`${rid}/${chain}`) ?? 0]
    if (length <= sent) return
    throw new Error(`chain ${chain} of run ${rid} has ${length} draws, of ${sent} that were appended: some twice`)
  }

  /** Deletes the runs that were registered here, and those at other paths. @throws Error when some stay */
  async removeAll(others: Iterable<string>): Promise<void> {
    const send = (path: string) => fetch(this.url + path, { method: 'DELETE', headers: this.headers })
    await deleteAll(new Set([...this.created, ...others]), send)
  }

  /** Number of chains that a run has. */
  async chains(rid: string): Promise<number> {
    const answer: unknown = await (await this.request('GET', `/v1/runs/${rid}/chains`, undefined, 200)).json()
    return isRecord(answer) && Array.isArray(answer.chains) ? answer.chains.length : Number.NaN
  }

  async draws(rid: string, chain = 0): Promise<mcbackend.DrawBatch> {
    const answer = await this.request('GET', `/v1/runs/${rid}/chains/${chain}/draws`, undefined, 200)
    return mcbackend.DrawBatch.decode(new Uint8Array(await answer.arrayBuffer()))
  }

  /** Values of a column of float64 scalars. */
  async floats(rid: string, name = 'x', chain = 0): Promise<number[]> {
    const { draws, stats } = await this.draws(rid, chain)
    const { data = new Uint8Array() } = [...draws, ...stats].find((column) => column.name === name) ?? {}
    return [...new Float64Array(new Uint8Array(data ?? []).buffer)]
  }
}

function numberIn(answer: unknown, name: string): number {
  return isRecord(answer) ? Number(answer[name]) : Number.NaN
}

export function metaOf(variables: mcbackend.Variable.$Properties[], sampleStats: typeof variables = []): Bytes {
  return new Uint8Array(mcbackend.RunMeta.encode({ variables, sampleStats }).finish())
}

/** A batch of float64 scalars. */
export function floatBatch(start: number, values: readonly number[], name = 'x'): mcbackend.DrawBatch.$Properties {
  const data = new Uint8Array(Float64Array.from(values).buffer)
  return { start, count: values.length, draws: [{ name, dtype: 'float64', data }] }
}
