/** Topics of the conformance kit's server side that no other file here declares, in this process. */
import { about } from '../../conformance/kit/server/about.ts'
import { doors } from '../../conformance/kit/server/doors.ts'
import { figures } from '../../conformance/kit/server/figures.ts'
import { golden } from '../../conformance/kit/server/golden.ts'
import { limits } from '../../conformance/kit/server/limits.ts'
import { listing } from '../../conformance/kit/server/listing.ts'
import { races } from '../../conformance/kit/server/races.ts'
import { refusals } from '../../conformance/kit/server/refusals.ts'
import { IN_PROCESS } from './in-process.ts'

golden(IN_PROCESS)
races(IN_PROCESS)
listing(IN_PROCESS)
refusals(IN_PROCESS)
limits(IN_PROCESS)
about(IN_PROCESS)
figures(IN_PROCESS)
doors(IN_PROCESS)
