/** A trace of long chains: its time, and against a read of the bytes that it goes through. */
import { atMost, type Figure, newRid, oneConnection, readAll, type Scale } from './figures.ts'
import { compare, seconds } from './measure.ts'
import { Body, createRun, scalars, Writer } from './model.ts'
import type { Started } from './server.ts'

const CHAINS = 4
/** Draws of each chain; a tenth of them with `--quick`, where the goal is a tenth as well. */
const LENGTH = 1_000_000
const BUCKETS = 1000
const BODY_DRAWS = 10_000
const READS = 9

/** A scalar of doubles, by turns as a trace and as protobuf, chain after chain, over one connection each. */
export async function traceFigures(server: Started, scale: Scale): Promise<Figure[]> {
  const connection = await oneConnection(server)
  const rid = newRid()
  const model = scalars(1)
  const length = LENGTH * scale.data
  await createRun(connection, rid, model, CHAINS)
  for (let chain = 0; chain < CHAINS; chain++) {
    const writer = new Writer(connection, rid, chain, new Body(model, BODY_DRAWS, chain + 1))
    for (let draws = 0; draws < length; draws += BODY_DRAWS) await writer.append()
  }
  const path = `/v1/runs/${rid}`
  const trace = async () => {
    const answer = await fetch(new URL(`${path}/trace?var=x0&buckets=${BUCKETS}`, server.url))
    const text = await answer.text()
    if (answer.status !== 200) throw new Error(`the trace was answered with ${answer.status}: ${text}`)
  }
  const read = async () => {
    for (let chain = 0; chain < CHAINS; chain++) await readAll(connection, `${path}/chains/${chain}/draws`)
  }
  const [traced, whole] = await compare(
    READS,
    () => seconds(trace),
    () => seconds(read),
  )
  connection.close()
  const ms = (s: number) => `${(s * 1e3).toFixed(1)} ms`
  const of = `a trace of ${CHAINS} x ${length} draws`
  return [
    atMost(of, traced * 1e3, 150 * scale.data, 'ms', `${BUCKETS} buckets, median of ${READS}`),
    atMost(`${of} / reading them`, traced / whole, 2, 'ratio', `${ms(traced)} / ${ms(whole)}`),
  ]
}
