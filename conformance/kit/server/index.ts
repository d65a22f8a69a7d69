/** All topics of the server's side of the kit, by name. */
import { about } from './about.ts'
import { appends } from './appends.ts'
import { chains } from './chains.ts'
import { doors } from './doors.ts'
import { elements } from './elements.ts'
import { etags } from './etags.ts'
import { figures } from './figures.ts'
import { golden } from './golden.ts'
import { jsonIn } from './json-in.ts'
import { limits } from './limits.ts'
import { listing } from './listing.ts'
import { negotiation } from './negotiation.ts'
import { order } from './order.ts'
import { races } from './races.ts'
import { reading } from './reading.ts'
import { refusals } from './refusals.ts'
import { runs } from './runs.ts'
import type { Subject } from './subject.ts'

/** Tests of a topic, but those of keys, which need one. */
export const TOPICS: Readonly<Record<string, (server: Subject) => void>> = {
  runs,
  chains,
  appending: appends,
  races,
  reading,
  elements,
  etags,
  listing,
  negotiation,
  json: jsonIn,
  refusals,
  order: (server) => order(server, { hasLimits: false }),
  limits,
  'golden files': golden,
  about,
  figures,
  doors,
}
