/** Files of Stan are read as they are meant, whatever the borders between pieces, and garbage has a line and a reason. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StanError } from '../../../src/core/stan/stan-error.ts'
import { madeFile, NAMES, ROWS, readText } from './files.ts'

const groupsOf = (text: string, warmup?: number) => {
  const { columns } = readText(text, [65_536], warmup).file
  return [...(columns?.draws ?? [])].map(({ name, shape, columns: places }) => [name, shape, [...places]])
}

const problemOf = (text: string, warmup?: number): string => {
  try {
    readText(text, [65_536], warmup)
  } catch (error) {
    if (error instanceof StanError) return `${error.line}: ${error.message}`
    throw error
  }
  return 'none'
}

test('a file of CmdStan: settings, stats, variables, adaptation, times', () => {
  const { file, rows, warmup } = readText(madeFile())
  expect(file.isComplete).toBe(true)
  expect(file.settings.get('num_samples')).toBe('3')
  expect(file.settings.method).toBe('sample')
  expect(file.columns?.stats.map(({ name, dtype }) => [name, dtype])).toEqual([
    ['lp__', 'float64'],
    ['stepsize__', 'float64'],
    ['treedepth__', 'int64'],
    ['divergent__', 'bool'],
  ])
  expect(rows[0]).toEqual([-7.5, 0.5, 3, 0, 1.25, -1e-3, 2])
  expect(rows[1]).toEqual([-7.25, 0.5, 2, 1, Number.NaN, Number.POSITIVE_INFINITY, -0])
  expect(rows[2]?.slice(4)).toEqual([1e308, 5e-324, 3])
  expect(warmup).toEqual([false, false, false])
  expect(file.adaptation.stepSize).toBe(0.5)
  expect(file.adaptation.inverseMetric).toEqual([1.5, 2])
  expect([...file.adaptation.seconds]).toEqual([
    ['Warm-up', 0.1],
    ['Sampling', 0.2],
    ['Total', 0.3],
  ])
})

test('the borders between pieces change nothing', () => {
  const text = madeFile().replaceAll('\n', '\r\n')
  const whole = readText(text)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 20 }), (lengths) => {
      const read = readText(text, lengths)
      expect(read.rows).toEqual(whole.rows)
      expect(read.file.isComplete).toBe(true)
      expect(read.file.adaptation.inverseMetric).toEqual([1.5, 2])
    }),
  )
})

test('doubles come back bit by bit, however they are written', () => {
  const texts = (value: number) => {
    const sign = Object.is(value, -0) ? '-' : ''
    return [`${sign}${value}`, Number.isFinite(value) ? `${sign}${value.toPrecision(17)}` : `${value}`]
  }
  fc.assert(
    fc.property(fc.array(fc.double(), { minLength: 3, maxLength: 3 }), (values) => {
      const read = readText(madeFile({ rows: values.map((value) => `0,1,1,0,${texts(value).join()},1`) }))
      for (const [i, value] of values.entries()) {
        expect(read.rows[i]?.[4]).toBe(value)
        expect(read.rows[i]?.[5]).toBe(value)
      }
    }),
  )
})

describe('columns', () => {
  const stan = (names: string) => madeFile({ names: `lp__,stepsize__,${names}`, rows: [], isTimed: false })

  test.each([
    ['a scalar', 'mu', [['mu', [], [2]]]],
    ['a vector', 'v.1,v.2', [['v', [2], [2, 3]]]],
    ['a matrix, the first index fastest', 'L.1.1,L.2.1,L.1.2,L.2.2', [['L', [2, 2], [2, 4, 3, 5]]]],
    ['one in another order', 'v.2,v.1', [['v', [2], [3, 2]]]],
    [
      'an array of tuples',
      'p.1:1,p.1:2.1,p.2:1,p.2:2.1',
      [
        ['p:1', [2], [2, 4]],
        ['p:2', [2, 1], [3, 5]],
      ],
    ],
    [
      'complex numbers',
      'z.1.real,z.1.imag',
      [
        ['z.real', [1], [2]],
        ['z.imag', [1], [3]],
      ],
    ],
    ['names of tables', '"m[1,1]","m[2,1]"', [['m', [2, 1], [2, 3]]]],
    ['an index of many digits is part of a name', 'a.12345678901', [['a.12345678901', [], [2]]]],
  ])('%s', (_what, names, expected) => {
    expect(groupsOf(stan(names))).toEqual(expected)
  })

  test.each([
    ['twice', 'a,a', /"a" is there twice/],
    ['an element twice', 'a.1,a.2,a.2.,a.1', /"a" has 3 columns/],
    ['an element that is missing', 'a.1,a.3', /do not make up an array of shape \[3\]/],
    ['an index of 0', 'a.0,a.1', /do not make up an array/],
    ['different numbers of indices', 'a.1,a.1.1', /different numbers of indices/],
    ['no name', 'a,,b', /column 4 has no name/],
    ['an open quote', '"a', /has no end/],
  ])('%s is refused', (_what, names, reason) => {
    expect(problemOf(stan(names))).toMatch(reason)
  })
})

describe('rows of warmup', () => {
  test('are marked where they were saved', () => {
    const text = [
      '# method = sample',
      '# num_samples = 4',
      '# num_warmup = 3',
      '# save_warmup = true',
      '# thin = 2',
      '# engaged = 1',
      'lp__,stepsize__,a',
      ...['0,1,1', '0,1,2'],
      '# Adaptation terminated',
      ...['0,1,3', '0,1,4'],
      '# Elapsed Time: 1 seconds (Warm-up)',
      '',
    ].join('\n')
    expect(readText(text).warmup).toEqual([true, true, false, false])
    expect(problemOf(text.replace('# Adaptation terminated\n', ''))).toMatch(/^10: draws begin without the adaptation/)
    expect(problemOf(text.replace('0,1,2\n', ''))).toMatch(/^9: adaptation ends after 1 draws of warmup, not 2/)
  })

  test('are none with fixed parameters, whatever the settings say', () => {
    const text =
      '# method = sample\n# num_samples = 2\n# num_warmup = 2\n# save_warmup = 1\n# algorithm = fixed_param\nlp__,a\n0,1\n0,2\n# Elapsed Time: 0 seconds (Warm-up)\n'
    const { warmup, file } = readText(text)
    expect(warmup).toEqual([false, false])
    expect(file.isComplete).toBe(true)
    // Older versions of CmdStan do so without a word, which shows at the end.
    const silent = readText(text.replace('# algorithm = fixed_param\n', ''))
    expect(silent.warmup).toEqual([false, false])
    expect(silent.file.isComplete).toBe(true)
  })

  test('must be told of tables, and of generated quantities', () => {
    expect(problemOf('a,b\n1,2\n')).toMatch(/^1: it has no settings.*\?warmup=N/)
    expect(readText('a,b\n1,2\n3,4\n', [100], 1).warmup).toEqual([true, false])
    const generated = '# method = generate_quantities\n# fitted_params = fit.csv\ny.1,y.2\n1,2\n'
    expect(problemOf(generated)).toMatch(/made from "fit.csv", which cannot be read here/)
    expect(readText(generated, [100], 0).rows).toEqual([[1, 2]])
    expect(problemOf(madeFile(), 1)).toMatch(/tell 0 rows of warmup, not 1/)
  })
})

test('the first row of a variational approximation is its mean', () => {
  const text = '# method = variational\n# output_samples = 2\nlp__,log_p__,log_g__,mu\n0,0,0,7\n0,-1,-1,6\n0,-2,-2,8\n'
  const { file, rows } = readText(text)
  expect(rows.map((row) => row[3])).toEqual([6, 8])
  expect([...(file.mean ?? [])]).toEqual([['mu', 7]])
  expect(file.isComplete).toBe(true)
})

test('a last line without its end is no draw', () => {
  const text = madeFile({ isTimed: false })
  const { rows, file } = readText(text.slice(0, -1))
  expect(rows).toHaveLength(ROWS.length - 1)
  expect(file.isCutOff).toBe(true)
})

describe('garbage has a line and a reason', () => {
  const row = (cells: string) => madeFile({ rows: [ROWS[0] ?? '', cells] })

  test.each([
    ['too few cells', row('1,2'), /^12: there are 2 values, not 7/],
    ['too many', row('1,0.5,1,0,1,1,1,1'), /^12: there are 8 values/],
    ['a word', row('1,0.5,1,0,one,1,1'), /^12: "one" is no number/],
    ['an empty cell', row('1,0.5,1,0,,1,1'), /^12: "" is no number/],
    ['hexadecimal', row('1,0.5,1,0,0x10,1,1'), /is no number/],
    ['two signs', row('1,0.5,1,0,--1,1,1'), /is no number/],
    ['more than any double', row('1,0.5,1,0,1e400,1,1'), /larger than any double/],
    ['a NaN of nobody', row('1,0.5,1,0,nanx,1,1'), /is no number/],
    ['half a flag', row('1,0.5,1,0.5,1,1,1'), /divergent__ is 0.5/],
    ['a depth that is none', row('1,0.5,nan,0,1,1,1'), /treedepth__ is NaN/],
    ['names again', row(NAMES), /the column names come again/],
    ['a page', '<!DOCTYPE html>\n<html>\n', /^1: it has no settings/],
    ['gzip', '\u001f\u008b', /no text|no settings|none/],
    ['UTF-16', 'l\u0000p\u0000_\u0000\n\u0000', /^1: this is no text in UTF-8/],
    ['a count that is none', '# num_samples = many\n', /^1: num_samples is "many"/],
    ['a flag that is none', '# save_warmup = 2\n', /^1: save_warmup is "2"/],
    ['gradients', '# method = diagnose\n', /holds no draws/],
    ['a method of tomorrow', '# method = divine\nlp__,a\n', /is not known/],
    ['momenta', '# method = sample\n# num_samples = 1\nlp__,a,p_a,g_a\n', /diagnostic file/],
    ['a table of chains', '.chain,.iteration,.draw,a\n1,1,1,2\n', /table of all chains/],
    ['semicolons', 'a;b\n1;2\n', /separated by commas/],
    ['more draws than told', madeFile({ rows: [...ROWS, ROWS[0] ?? ''] }), /more draws than the 3/],
    ['fewer', madeFile({ rows: ROWS.slice(1) }), /there are 2 draws, not 3/],
    ['a draw behind the end', `${madeFile()}${ROWS[0]}\n`, /a draw comes after the timing/],
  ])('%s', (_what, text, reason) => {
    expect(problemOf(text)).toMatch(reason)
  })

  test('spellings of other programs are no garbage', () => {
    const cells = [
      'nan',
      '-nan',
      'NaN',
      '-nan(ind)',
      '1.#QNAN',
      'NA',
      'inf',
      '+Inf',
      '-infinity',
      '1.#INF',
      '1e+003',
      '+.5',
      '5.',
    ]
    const rows = cells.map((cell) => `0,1,1,0,${cell},0,0`)
    const settings = ['method = sample', `num_samples = ${cells.length}`]
    expect(readText(madeFile({ settings, rows })).rows.map((values) => values[4])).toEqual([
      ...new Array<number>(6).fill(Number.NaN),
      ...[Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
      ...[1000, 0.5, 5],
    ])
  })

  test('whatever comes, it is a fault of the file or none', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '\n',
        '\r',
        ',',
        '#',
        ' = ',
        'Adaptation terminated',
        'Elapsed Time: ',
        NAMES,
        ...ROWS,
        '"',
        '\u0000',
      ),
      fc.constantFrom('# method = sample\n', '# num_samples = 3\n', '# iter=3\n# chain_id=1\n', '# save_warmup = 1\n'),
      fc.constantFrom('# num_warmup = 999999999999999999\n', 'a.9999999999.9999999999', '1e999', '(Default)'),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.option(fc.nat(3), { nil: undefined }), (parts, warmup) => {
        expect(typeof problemOf(parts.join(''), warmup)).toBe('string')
      }),
      { numRuns: 500 },
    )
  })
})

test('a settings line of blanks takes no time', () => {
  const began = performance.now()
  expect(problemOf(`# a = ${' '.repeat(200_000)}x\n#${' '.repeat(200_000)}\n`)).toBe('none')
  expect(performance.now() - began).toBeLessThan(2000)
})

test('a line has 64 MiB at most', () => {
  const { file } = readText('a')
  const piece = new Uint8Array(32 * 1024 * 1024).fill(0x61)
  const add = () => [...file.add(piece)]
  add()
  expect(add).toThrow(expect.objectContaining({ isTooLarge: true, line: 1 }))
})
