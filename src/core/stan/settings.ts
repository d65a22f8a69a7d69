/**
 * The comments at the beginning of a file of Stan: which method wrote it, and how many draws are to come.
 *
 * CmdStan writes `#     num_samples = 1000 (Default)`, indented as its arguments are. RStan and PyStan 2 write `# iter=2000`,
 * where `iter` counts the warmup as well; here both have CmdStan's names. The Python package reads files by the same rules.
 *
 * https://mc-stan.org/docs/cmdstan-guide/stan_csv_apdx.html
 */
import { METHODS, type Plan, WITHOUT_DRAWS } from './plan.ts'
import { StanError, shown } from './stan-error.ts'

const SETTING = /^#\s*([\p{L}\p{N}_]+)\s*=/u
const DEFAULT = '(Default)'
/** Settings of one file, and characters of a value, at most: CmdStan has about 60. */
const MOST_SETTINGS = 1000
const MOST_VALUE = 1000
/** Characters of a comment that are looked at. */
export const MOST_COMMENT = 16 * 1024

const FLAGS: ReadonlySet<string> = new Set(['save_warmup', 'engaged', 'adapt_engaged', 'save_iterations'])
const COUNTS: ReadonlySet<string> = new Set([
  'num_samples',
  'num_warmup',
  'thin',
  'output_samples',
  'draws',
  'iter',
  'warmup',
])
const COUNT = /^\d{1,18}$/

/** RStan's and PyStan's names, and CmdStan's for the same. */
const RSTAN_NAMES: readonly (readonly [theirs: string, ours: string])[] = [
  ['chain_id', 'id'],
  ['warmup', 'num_warmup'],
  ['max_treedepth', 'max_depth'],
  ...['engaged', 'gamma', 'delta', 'kappa', 't0', 'init_buffer', 'term_buffer'].map(
    (name) => [`adapt_${name}`, name] as const,
  ),
  ['adapt_window', 'window'],
  ['sample_file', 'file'],
]
const RSTAN_SAMPLER = /^([\p{L}\p{N}_]+?)(?:\(([\p{L}\p{N}_]+)\))?$/u
const RSTAN_ENGINES: ReadonlyMap<string, string> = new Map([
  ['NUTS', 'nuts'],
  ['HMC', 'static'],
])

/** The settings by CmdStan's names, as text. */
export class Settings {
  /** True for files of RStan and PyStan 2. */
  isRstan = false
  private readonly values = new Map<string, string>()

  get(name: string): string | undefined {
    return this.values.get(name)
  }

  has(name: string): boolean {
    return this.values.has(name)
  }

  /** Takes a comment of the beginning. @throws StanError for a count that is no number, a flag that is neither true nor false */
  note(comment: string): void {
    const [head, name] = SETTING.exec(comment.slice(0, MOST_COMMENT)) ?? []
    if (head === undefined || name === undefined || this.values.size >= MOST_SETTINGS) return
    const given = comment.slice(head.length, MOST_COMMENT).trim()
    const text = given.endsWith(DEFAULT) ? given.slice(0, -DEFAULT.length).trimEnd() : given
    const value = text.length > MOST_VALUE ? [...text].slice(0, MOST_VALUE).join('') : text
    if (COUNTS.has(name) && !COUNT.test(value)) throw new StanError(`${name} is ${shown(value)}, not a number`)
    if (FLAGS.has(name) && !['0', '1', 'false', 'true'].includes(value.toLowerCase())) {
      throw new StanError(`${name} is ${shown(value)}, neither true nor false`)
    }
    if (!this.values.has(name)) this.values.set(name, value)
  }

  /** Gives RStan's settings CmdStan's names, once all are known. */
  translate(): void {
    const { values } = this
    if (values.has('method') || !values.has('iter') || !values.has('chain_id')) return
    this.isRstan = true
    const [, sampler, metric] = RSTAN_SAMPLER.exec(values.get('sampler_t') ?? '') ?? []
    values.delete('sampler_t')
    for (const [theirs, ours] of RSTAN_NAMES) {
      const value = values.get(theirs)
      if (value === undefined) continue
      values.delete(theirs)
      values.set(ours, value)
    }
    this.nameMethod()
    if (sampler === undefined) return
    const engine = RSTAN_ENGINES.get(sampler)
    values.set('algorithm', engine === undefined ? sampler.toLowerCase() : 'hmc')
    if (engine !== undefined) values.set('engine', engine)
    if (metric !== undefined) values.set('metric', metric)
  }

  private nameMethod(): void {
    const { values } = this
    if (values.has('num_warmup')) {
      values.set('method', 'sample')
      // Old versions of RStan ran all iterations as draws where the parameters are fixed.
      values.set('num_samples', String(Math.max(0, this.count('iter') - this.count('num_warmup'))))
    } else if (values.has('output_samples')) values.set('method', 'variational')
    else values.set('method', values.has('save_iterations') ? 'optimize' : 'diagnose')
  }

  /** The method; undefined where nothing tells: CmdStan's own files name it, some tools leave it out. */
  get method(): string | undefined {
    return this.values.get('method') ?? (this.values.has('num_samples') ? 'sample' : undefined)
  }

  /** A boolean: 0 or 1 in older versions of CmdStan, false or true in newer ones. */
  flag(name: string): boolean {
    return ['1', 'true'].includes((this.values.get(name) ?? '').toLowerCase())
  }

  count(name: string, otherwise = 0): number {
    return Number(this.values.get(name) ?? otherwise)
  }

  /** True for the sampler with fixed parameters, which has no warmup whatever the settings say. */
  get isFixed(): boolean {
    return this.values.get('algorithm') === 'fixed_param'
  }

  /** @throws StanError for a method whose output is no draws */
  checkMethod(): void {
    const method = this.values.get('method') ?? ''
    const output = WITHOUT_DRAWS.get(method)
    if (output === undefined) return
    throw new StanError(`this is output of method ${shown(method)}, ${output}, and holds no draws`)
  }

  /**
   * The rows that are to come.
   *
   * @param warmup number of rows that are warmup, where the sender tells it
   * @throws StanError where it cannot be told
   */
  plan(sampler: 'fixed' | 'adaptive', warmup?: number): Plan {
    this.checkMethod()
    const { method } = this
    if (method === undefined || method === 'generate_quantities') return this.asTold(method, warmup)
    if (!METHODS.has(method)) throw new StanError(`this is output of method ${shown(method)}, which is not known`)
    const plan = method === 'sample' ? this.sampling(sampler) : this.approximation(method)
    if (warmup === undefined || warmup === plan.warmup) return plan
    throw new StanError(`its settings tell ${plan.warmup} rows of warmup, not ${warmup}`)
  }

  private approximation(method: string): Plan {
    if (method === 'pathfinder') {
      // Paths may fail, and leave fewer draws than were asked for.
      return { method, warmup: 0, hasTiming: true }
    }
    if (method === 'optimize') {
      const draws = this.flag('save_iterations') || this.isRstan ? undefined : 1
      return { method, warmup: 0, draws, mostDraws: draws }
    }
    const name = method === 'variational' ? 'output_samples' : 'draws'
    const draws = this.values.has(name) ? this.count(name) : undefined
    return { method, warmup: 0, draws, mostDraws: draws, hasMean: method === 'variational' }
  }

  private sampling(sampler: 'fixed' | 'adaptive'): Plan {
    if (!this.values.has('num_samples')) {
      throw new StanError('num_samples is missing in its settings: nothing tells how many draws there will be')
    }
    const thin = Math.max(1, this.count('thin', 1))
    const warmup = this.count('num_warmup')
    const asked = this.count('num_samples')
    const draws = Math.ceil(asked / thin)
    if (sampler === 'fixed') {
      const mostDraws = this.isRstan ? Math.ceil((asked + warmup) / thin) : draws
      return { method: 'sample', warmup: 0, draws, mostDraws, hasTiming: true }
    }
    const saved = this.flag('save_warmup') ? Math.ceil(warmup / thin) : 0
    const mustAdapt = (this.values.get('algorithm') ?? 'hmc') === 'hmc' && this.flag('engaged') && warmup > 0
    return { method: 'sample', warmup: saved, draws, mostDraws: draws, hasTiming: true, mustAdapt }
  }

  private asTold(method: string | undefined, warmup: number | undefined): Plan {
    if (warmup !== undefined) return { method, warmup }
    const from = this.values.get('fitted_params') ?? ''
    const reason =
      method === undefined
        ? 'it has no settings'
        : `its draws were made from ${from === '' ? 'a file' : shown(from)}, which cannot be read here`
    throw new StanError(`${reason}, so that nothing tells which rows are warmup: say it with ?warmup=N (0 if none is)`)
  }
}
