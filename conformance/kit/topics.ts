/** Topics of test/conformance: those that are matters of clients, and why the others are not. */

const OF_SERVERS = 'a matter of servers: drivers have no command for it'

/** Every topic of the suite by its name; undefined for those that clients are tested with. */
export const SUITE_TOPICS: Readonly<Record<string, string | undefined>> = {
  runs: undefined,
  names: undefined,
  'chains and handles': undefined,
  dtypes: undefined,
  shapes: undefined,
  strings: undefined,
  'sampler stats': undefined,
  slices: undefined,
  'lengths and validation': undefined,
  'the append table': undefined,
  races: undefined,
  'reads during writes': undefined,
  sizes: undefined,
  'draws of size zero': undefined,
  listing: undefined,
  deletion: undefined,
  elements: 'a parameter that clients may have: drivers have no command for it',
  traces: OF_SERVERS,
  summaries: OF_SERVERS,
  checks: OF_SERVERS,
  'diagnostics of runs': OF_SERVERS,
  about: 'names, notes and facts of runs: drivers have no command for them',
  'boundaries of storage': 'a matter of storages: it reads elements at the borders of their chunks',
  'staged objects': 'a matter of storages',
}

/** Duties of conformance/README.md, each with tests of the kit's own. */
export const DUTY_TOPICS: readonly string[] = ['writer', 'reader', 'golden files']

export const CLIENT_TOPICS: readonly string[] = [
  ...Object.keys(SUITE_TOPICS).filter((name) => SUITE_TOPICS[name] === undefined),
  ...DUTY_TOPICS,
]
