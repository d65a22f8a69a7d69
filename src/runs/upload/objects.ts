/**
 * Paths of the objects of an upload in the store. All that comes behind the registration of its run is bound to that: a request
 * that was under way when the run was deleted puts nothing into the next run of this id.
 */
import type { StagedObject } from '../../core/store.ts'

/** Head of the paths of what writers send before the run is registered. */
export const SENT = 'z/'
const BOUND = 'd/'
const MARK = 'm/'

/** Names of marks, which are empty objects: the upload has become the run; the writer has ended; all that it wrote is in the run. */
export const RUN_MARK = 'run'
export const ENDING_MARK = 'ending'
export const DONE_MARK = 'done'
/** Behind it stand the part, the chain and the row of a block that its writer may send again. */
export const DOUBT_MARK = 'doubt/'

export function markOf(registration: string, name: string): string {
  return `${MARK}${registration}/${name}`
}

/** Head of the paths of what writers send. */
export function headOf(registration: string | undefined): string {
  return registration === undefined ? SENT : `${BOUND}${registration}/`
}

/** Objects of an upload by what they are. */
export interface Objects {
  /** Objects that hold, by the paths that their writer knows. */
  readonly sent: ReadonlyMap<string, StagedObject>
  /** Names of the marks of the run. */
  readonly marks: ReadonlySet<string>
  /** Paths of objects that are bound to other registrations. */
  readonly foreign: readonly string[]
}

/** @param registration that of the run, which may not be there yet */
export function sortObjects(listed: readonly StagedObject[], registration: string | undefined): Objects {
  const sent = new Map<string, StagedObject>()
  const marks = new Set<string>()
  const foreign: string[] = []
  const bound: StagedObject[] = []
  const [head, mark] = [registration && headOf(registration), registration && markOf(registration, '')]
  for (const object of listed) {
    const { path } = object
    if (path.startsWith(SENT)) sent.set(path.slice(SENT.length), object)
    else if (head && path.startsWith(head)) bound.push(object)
    else if (mark && path.startsWith(mark)) marks.add(path.slice(mark.length))
    else foreign.push(path)
  }
  // These replace objects from before the registration.
  for (const object of bound) sent.set(object.path.slice(head?.length), object)
  return { sent, marks, foreign }
}

/** Blocks that a writer may send again. */
export function doubtsOf(marks: ReadonlySet<string>): Set<string> {
  return new Set([...marks].filter((name) => name.startsWith(DOUBT_MARK)).map((name) => name.slice(DOUBT_MARK.length)))
}
