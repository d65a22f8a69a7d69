/**
 * Topics that the suites behind the first one leave out: an engine in a process of its own takes some 20 ms for each statement, and
 * these topics have hundreds of them that differ in nothing but the values.
 */
const VALUES = ['dtypes', 'shapes', 'sampler stats', 'sizes', 'boundaries of storage']

export const SAME_AS_ON_NODE = {
  topics: VALUES,
  why: 'the values go the same way as on Node, where all topics are run',
}

export const DECIDED_BEHIND = {
  topics: [...VALUES, 'races', 'slices'],
  why: 'values go the same way as without the client, slices are resolved before ClickHouse, and races are decided in it',
}
