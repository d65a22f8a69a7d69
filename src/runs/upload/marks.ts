/** Paths of marks: what is known of an upload beside what was sent. Each is an empty object. */

export const MARK = 'm/'
/** Behind it stands the registration of the run that the upload has become. */
export const RUN_MARK = `${MARK}run/`
/** Behind it stand the part, the chain and the row of a block that its writer may send again. */
export const DOUBT_MARK = `${MARK}doubt/`
/** The writer has ended, and its last rows go to the chains. */
export const ENDING_MARK = `${MARK}ending`
/** All that was written is in the run. */
export const DONE_MARK = `${MARK}done`
