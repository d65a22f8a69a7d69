/** Elements of a variable, in this process. */
import { elements } from '../../conformance/kit/server/elements.ts'
import { IN_PROCESS } from './in-process.ts'

elements(IN_PROCESS)
