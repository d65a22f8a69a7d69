/** Lines that send a first run to this server: from PyMC, from a shell, from CmdStan. */

export interface FirstSteps {
  readonly title: string
  readonly before: string
  /** The text that is copied. */
  readonly lines: string
  readonly after?: string
}

/** @param access `keyed` where the server asks for a key, which is never among the lines */
export function firstSteps(url: string, access: 'open' | 'keyed'): readonly FirstSteps[] {
  const isKeyed = access === 'keyed'
  const token = isKeyed ? ', token="…"' : ''
  const header = isKeyed ? ' -H "Authorization: Bearer $MCB_TOKEN"' : ''
  const first = isKeyed ? ['export MCB_TOKEN=…'] : []
  const keyWords = isKeyed ? ' Put your key where the dots are.' : ''
  return [
    {
      title: 'Python: PyMC',
      before: `In a clone of the repository: pip install "./clients/python[pymc]".${keyWords}`,
      lines: [
        'import pymc as pm',
        'from mcbackend_edge import PyMCTrace',
        '',
        'with pm.Model(coords={"school": list("ABCDEFGH")}):',
        '    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)',
        '    theta = pm.Normal("theta", mu, tau, dims="school")',
        '    pm.Normal("y", theta, [15, 10, 16, 11, 9, 11, 10, 18], observed=[28, 8, -3, 7, -1, 1, 18, 12])',
        `    pm.sample(trace=PyMCTrace("${url}"${token}, name="Eight schools"))`,
        '',
      ].join('\n'),
      after: 'emcee, NumPyro, BlackJAX, nutpie and samplers of your own: clients/python.',
    },
    {
      title: 'A shell: curl',
      before: `curl 7.82 or newer. A vector of two, and its first two draws.${keyWords}`,
      lines: [
        ...first,
        `RUN=${url}/v1/runs/first`,
        `curl${header} -X PUT $RUN --json '{"variables": [{"name": "theta", "dtype": "float64", "shape": [2]}]}'`,
        `curl${header} -X PUT $RUN/chains/0`,
        `curl${header} $RUN/chains/0/draws --json '{"start": 0, "draws": {"theta": [[1, 2], [0, 0.5]]}}'`,
        '',
      ].join('\n'),
    },
    {
      title: 'R or a shell: CmdStan',
      before: `CmdStan, cmdstanr and CmdStanPy write CSV files; this follows them while they grow.${keyWords}`,
      lines: [
        ...first,
        `export MCB_URL=${url}`,
        "python -m mcbackend_edge tail --rid my-run --chains 4 'output_*.csv'",
        '',
      ].join('\n'),
      after: 'Start it beside the sampler, or afterwards: what is there already is sent as well.',
    },
  ]
}
