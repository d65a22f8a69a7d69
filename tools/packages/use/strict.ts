/** Types of the client as a user's compiler sees them, with every check and without Node's types. */
import {
  type ChainGrowth,
  type Draws,
  decodeNdArray,
  type ErrorCode,
  encodeNdArray,
  HttpBackend,
  type HttpChain,
  type HttpRun,
  McbError,
  type NdArray,
  type RunMeta,
  type Slice,
  type Summary,
  summarise,
} from 'mcbackend-edge-client'

const backend: HttpBackend = new HttpBackend({ url: 'http://127.0.0.1:8787', flush: { count: 10 } })

export async function use(slice: Slice, onGrowth: (growth: ChainGrowth) => void): Promise<Draws> {
  const school = encodeNdArray({ dtype: 'str', shape: [1], data: ['Deerfield'] })
  const run: HttpRun = await backend.initRun({
    variables: [{ name: 'theta', dtype: 'float64', shape: [1], dims: ['school'] }],
    coordinates: [{ name: 'school', values: school }],
  })
  const meta: RunMeta = run.meta
  const names: readonly string[] = (meta.variables ?? []).map(({ name }) => name ?? '')
  const chain: HttpChain = await run.initChain(0)
  await chain.append({ theta: new Float64Array(1) })
  const at: Map<string, NdArray> = await chain.getDrawsAt(0, names)
  const summary: Summary = await run.summary({ variables: names, sort: '-rhat', ci: { prob: 0.94 } })
  const worst: number | string | undefined = summary.rows[0]?.figures[0]
  await summarise(run, { columns: ['mean'], convention: worst === 'constant' ? 'arviz' : 'posterior' })
  // @ts-expect-error: no such column
  await run.summary({ columns: ['mode'] })
  for await (const growth of run.watch()) onGrowth(growth)
  // @ts-expect-error: a URL is needed
  new HttpBackend({})
  return at.size === 0 ? chain.getDraws('theta', slice) : decodeNdArray(school)
}

export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof McbError ? error.code : undefined
}
