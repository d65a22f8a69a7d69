import { expect, test } from 'vitest'
import { pythonChoice, pythonLines, pythonText } from '../../web/src/run/python-lines.ts'
import { RunSchema } from '../../web/src/run/schema.ts'

const RUN = { url: 'http://127.0.0.1:8787', rid: 'eight-schools', access: 'open', chains: [] } as const

test('lines name the server and the run', () => {
  expect(pythonLines(RUN, 'az.plot_energy(dt)')).toBe(`import arviz as az
from mcbackend_edge import Client

dt = Client("http://127.0.0.1:8787").run("eight-schools").to_datatree()
az.plot_energy(dt)
`)
})

test('a key comes from the environment, and chains of the view go with it', () => {
  expect(pythonLines({ ...RUN, access: 'keyed', chains: [0, 2] }, 'az.plot_energy(dt)')).toBe(`import os

import arviz as az
from mcbackend_edge import Client

dt = Client("http://127.0.0.1:8787", os.environ["MCB_TOKEN"]).run("eight-schools").to_datatree(chains=[0, 2])
az.plot_energy(dt)
`)
})

test('texts stay texts', () => {
  expect(pythonText('a"b\\c\n\'')).toBe(String.raw`"a\"b\\c\n'"`)
  expect(pythonText('x\u202ey\u{e0041}\u0085\u2028')).toBe(String.raw`"x\u202ey\U000e0041\u0085\u2028"`)
  expect(pythonText('\ud800')).toBe(String.raw`"\ud800"`)
  expect(pythonText('θ 🙂')).toBe('"θ 🙂"')
})

test('scalars are chosen by variable, coordinate and group, as ArviZ does', () => {
  const labels = btoa(String.fromCharCode(...['A', 'B'].flatMap((letter) => [letter.charCodeAt(0), 0, 0, 0])))
  const column = { dtype: 'float64', isDeterministic: false, undefinedNdim: false }
  const schema = new RunSchema({
    variables: [
      { ...column, name: 'tau', shape: [], dims: [] },
      { ...column, name: 'theta', shape: [2], dims: ['school'] },
      { ...column, name: 'x', shape: [3], dims: [] },
    ],
    sampleStats: [{ ...column, name: 'model_logp', shape: [], dims: [] }],
    coordinates: [{ name: 'school', values: { data: labels, dtype: '<U1', shape: [2] } }],
    data: [],
  })
  const tau = schema.scalar('draws', 'tau', 0)
  const theta = [schema.scalar('draws', 'theta', 0), schema.scalar('draws', 'theta', 1)]
  expect(pythonChoice(schema, [tau])).toBe('var_names=["tau"]')
  expect(pythonChoice(schema, theta)).toBe('var_names=["theta"]')
  expect(pythonChoice(schema, [tau, ...theta.slice(1)])).toBe('var_names=["tau", "theta"], coords={"school": ["B"]}')
  expect(pythonChoice(schema, [schema.scalar('draws', 'x', 2)])).toBe('var_names=["x"], coords={"x_dim_0": [2]}')
  expect(pythonChoice(schema, [schema.scalar('stats', 'model_logp', 0)])).toBe('var_names=["lp"], group="sample_stats"')
})
