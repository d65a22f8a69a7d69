/** All topics of the conformance suite in one function. */
import { about } from './about.ts'
import { appends } from './appends.ts'
import { checks } from './checks.ts'
import { deletion } from './deletion.ts'
import { diagnostics } from './diagnostics.ts'
import { dtypes } from './dtypes.ts'
import { elements } from './elements.ts'
import { folds } from './folds.ts'
import { handles } from './handles.ts'
import { lengths } from './lengths.ts'
import { listing } from './listing.ts'
import { live } from './live.ts'
import { names } from './names.ts'
import { races } from './races.ts'
import { runs } from './runs.ts'
import { shapes } from './shapes.ts'
import { sizeless } from './sizeless.ts'
import { sizes } from './sizes.ts'
import { slices } from './slices.ts'
import { staging } from './staging.ts'
import { stats } from './stats.ts'
import { strings } from './strings.ts'
import { conformanceOf, type Subject } from './suite.ts'
import { summaries } from './summaries.ts'
import { traces } from './traces.ts'

export type { Opened, Subject } from './suite.ts'

export const TOPICS = [
  runs,
  names,
  handles,
  dtypes,
  shapes,
  strings,
  stats,
  slices,
  elements,
  traces,
  summaries,
  checks,
  lengths,
  appends,
  races,
  live,
  sizes,
  sizeless,
  folds,
  listing,
  about,
  diagnostics,
  deletion,
  staging,
]

/** Declares every test that a backend must pass. */
export function conformance(subject: Subject): void {
  conformanceOf(subject, TOPICS)
}
