/** The example: its gradient, its sampler, and the demo as a user starts it. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sampleHmc } from '../../examples/eight-schools/hmc.ts'
import { constrain, DIMENSION, logDensity } from '../../examples/eight-schools/model.ts'
import { PUBLISHED } from '../../examples/eight-schools/published.ts'
import { createRandom } from '../../examples/eight-schools/random.ts'
import { registerRun, sampleRun } from '../../examples/eight-schools/run.ts'
import { summarise } from '../../examples/eight-schools/summary.ts'
import { HttpBackend } from '../../src/client/index.ts'
import { startApp, URL_OF_APP } from './server.ts'

describe('the model', () => {
  it('has the gradient that differences of its log density show', () => {
    const point = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: DIMENSION, maxLength: DIMENSION })
    const scratch = new Float64Array(DIMENSION)
    fc.assert(
      fc.property(point, (values) => {
        const q = Float64Array.from(values)
        const gradient = new Float64Array(DIMENSION)
        logDensity(q, gradient)
        const h = 1e-5
        for (let i = 0; i < DIMENSION; i++) {
          const at = (shift: number) =>
            logDensity(
              q.map((v, k) => (k === i ? v + shift : v)),
              scratch,
            )
          expect(gradient[i]).toBeCloseTo((at(h) - at(-h)) / (2 * h), 4)
        }
      }),
    )
  })

  it('puts the schools around their mean', () => {
    const { mu, tau, theta } = constrain(Float64Array.from([3, Math.log(2), 1, -1, 0, 0, 0, 0, 0, 0.5]))
    expect(mu).toBe(3)
    expect(tau).toBeCloseTo(2, 12)
    expect([...theta.subarray(0, 3), theta[7]].map((x) => Number(x?.toFixed(9)))).toEqual([5, 1, 3, 4])
  })
})

describe('the sampler', () => {
  const options = { dimension: DIMENSION, warmup: 50, draws: 50 }
  const trace = (seed: number) => Array.from(sampleHmc(logDensity, options, createRandom(seed)), ({ lp }) => lp)

  it('repeats itself by its seed', () => {
    expect(trace(1)).toEqual(trace(1))
    expect(trace(1)).not.toEqual(trace(2))
  })

  it('adapts its step size to the acceptance rate that is asked for', () => {
    for (const target of [0.7, 0.95]) {
      const sampled = [
        ...sampleHmc(logDensity, { dimension: DIMENSION, warmup: 1000, draws: 3000, target }, createRandom(3)),
      ]
      const kept = sampled.filter(({ isWarmup }) => !isWarmup)
      const rate = kept.reduce((sum, { acceptanceRate }) => sum + acceptanceRate, 0) / kept.length
      expect(Math.abs(rate - target)).toBeLessThan(0.06)
      expect(new Set(kept.map(({ stepSize }) => stepSize)).size).toBe(1)
    }
  })

  it('draws the moments of a normal', () => {
    const variances = [1, 4, 0.25]
    const normal = (q: Float64Array, gradient: Float64Array) => {
      let lp = 0
      variances.forEach((v, i) => {
        lp -= (q[i] ?? 0) ** 2 / (2 * v)
        gradient[i] = -(q[i] ?? 0) / v
      })
      return lp
    }
    const sums = variances.map(() => 0)
    const draws = 20_000
    for (const { q, isWarmup } of sampleHmc(normal, { dimension: 3, warmup: 500, draws }, createRandom(5))) {
      if (!isWarmup) for (const [i, value] of q.entries()) sums[i] = (sums[i] ?? 0) + value * value
    }
    for (const [i, v] of variances.entries()) expect((sums[i] ?? 0) / draws / v).toBeCloseTo(1, 1)
  })

  it('finds random numbers uniform and normal', () => {
    const random = createRandom(11)
    const n = 200_000
    const bins = new Array<number>(16).fill(0)
    let [sum, squares, fourths] = [0, 0, 0]
    for (let i = 0; i < n; i++) {
      const bin = Math.floor(random.uniform() * 16)
      bins[bin] = (bins[bin] ?? 0) + 1
      const z = random.normal()
      sum += z
      squares += z * z
      fourths += z ** 4
    }
    const chiSquare = bins.reduce((total, count) => total + (count - n / 16) ** 2 / (n / 16), 0)
    // 15 degrees of freedom: beyond 44 with a probability of 1e-4; the seed is fixed.
    expect(chiSquare).toBeLessThan(44)
    expect(Math.abs(sum / n)).toBeLessThan(0.01)
    expect(squares / n).toBeCloseTo(1, 1)
    expect(fourths / n).toBeCloseTo(3, 0)
  })
})

it('stores the eight schools with what an analysis needs, and their published posterior', async () => {
  const server = startApp()
  const backend = new HttpBackend({ url: URL_OF_APP, fetch: server.fetch })
  const run = await registerRun(backend, { seed: 4 })
  const reports: number[] = []
  await sampleRun(run, { chains: 4, warmup: 500, draws: 4000, seed: 4 }, ({ done }) => reports.push(done))
  expect(reports.filter((done) => done === 4500)).toHaveLength(4)

  const seen = await new HttpBackend({ url: URL_OF_APP, fetch: server.fetch }).getRun(run.rid)
  if (seen === undefined) throw new Error('the run is not there')
  expect(seen.coords.get('school')?.data).toContain('Deerfield')
  expect(seen.dims.get('theta')).toEqual(['school'])
  expect(seen.observedData.get('y')?.data[0]).toBe(28)
  expect(seen.constantData.get('sigma')?.data[7]).toBe(18)
  const chains = await seen.getChains()
  expect(await Promise.all(chains.map((chain) => chain.length()))).toEqual([4500, 4500, 4500, 4500])
  const first = await chains[0]?.getStatsAt(499)
  const later = await chains[0]?.getStatsAt(500)
  expect([first?.get('tune')?.data[0], later?.get('tune')?.data[0]]).toEqual([1, 0])

  const estimates = await summarise(seen)
  expect(estimates.map(({ name }) => name)).toEqual(PUBLISHED.map(({ name }) => name))
  for (const [i, { mean, mcse }] of estimates.entries()) {
    const published = PUBLISHED[i]
    expect(Math.abs(mean - Number(published?.mean))).toBeLessThan(5 * Math.hypot(mcse, Number(published?.sd) / 100))
    expect(mcse).toBeLessThan(0.3)
  }
})

describe('the demo', () => {
  const DEMO = fileURLToPath(new URL('../../examples/demo.ts', import.meta.url))
  const demo = (...options: string[]) => promisify(execFile)(process.execPath, [DEMO, ...options])

  it('samples, reads meanwhile, prints the posterior, and stops what it has started', async () => {
    const { stdout } = await demo('--draws', '8000', '--once')
    for (const chain of [0, 1, 2, 3]) expect(stdout).toContain(`chain ${chain}  100 %  9000 of 9000 iterations`)
    expect(stdout).toMatch(/second client: lengths \d+, \d+, \d+, \d+/)
    for (const { name, mean } of PUBLISHED) {
      expect(stdout.split('\n').find((line) => line.startsWith(name))).toContain(mean.toFixed(3))
    }
    const url = /http:\/\/\S+/.exec(stdout)?.[0] ?? ''
    expect(stdout).toContain(`page:    ${url}/ui/`)
    await expect(fetch(`${url}/healthz`)).rejects.toThrow()
  })

  it('goes on with runs to watch, until it is ended with all that it has started', async () => {
    const child = spawn(process.execPath, [DEMO, '--draws', '2000', '--chains', '2', '--warmup', '200'])
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const ended = once(child, 'exit')
    await expect.poll(() => said, { timeout: 60_000 }).toMatch(/ centered +http\S+/)
    const url = /http:\/\/\S+/.exec(said)?.[0] ?? ''
    const names = async () => {
      const { runs } = await new HttpBackend({ url }).listRuns()
      return runs.filter(({ draws }) => draws > 0).map(({ name }) => name)
    }
    await expect.poll(names).toEqual(expect.arrayContaining(['Eight schools, centered', 'Eight schools, non-centered']))
    child.kill('SIGINT')
    await ended
    await expect(fetch(`${url}/healthz`)).rejects.toThrow()
  })

  it('tells how it is used', async () => {
    const { stdout } = await demo('--help')
    expect(stdout).toContain('usage: npm run demo')
    await expect(demo('--draws', 'many')).rejects.toMatchObject({
      code: 1,
      stderr: 'demo: --draws must be a whole number from 100 on, not "many"\n',
    })
    await expect(demo('--colour')).rejects.toMatchObject({ code: 1 })
  })
})
