/** Rows of a page between two turns of the event loop. */
export const ROWS_PER_TURN = 256
